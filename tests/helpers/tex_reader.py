"""Reads the TeX of `derive.notation` back by a grammar of its own, with exact fractions."""

import re
from fractions import Fraction

import numpy as np
import sympy as sp

from derive.evaluate import Array, Numbers

# Names of the cell with how they are written.
VECTORS = {
    "f": r"f_{t}",
    "h[t-1]": r"h_{t-1}",
    "p": "p",
    "bar(f)": r"\bar{f}_{t}",
    "dy": r"\delta^{\mathrm{out}}_{t}",
    "d(f)": r"\mathrm{d}f_{t}",
}
MATRICES = {"A": "A", "W_f": "W_{f}"}
STACKED = {"B": "B"}
FUNCTIONS = {"sigmoid": r"\sigma", "tanh": r"\tanh"}


class Exact(Numbers):
    """Fractions; each function is replaced by a polynomial of its own."""

    def __init__(self) -> None:
        super().__init__(object)

    def constant(self, number: sp.Rational, shape: tuple[int, int]) -> Array:
        return np.full(shape, Fraction(int(number.p), int(number.q)), object)

    def apply(self, name: str, z: Array) -> Array:
        return z * z + (3 if name == "tanh" else 5) * z + 1


def values_of() -> dict[str, Array]:
    shapes = dict.fromkeys(VECTORS, (2, 1)) | dict.fromkeys(MATRICES, (2, 2))
    shapes |= dict.fromkeys(STACKED, (2, 4))
    primes = iter(sp.primerange(3, 400))
    values = {}
    for name, (rows, columns) in shapes.items():
        values[name] = np.array(
            [[Fraction(next(primes), 7) for _ in range(columns)] for _ in range(rows)], object
        )
    return values


class Reader:
    """A reader of the notation: sums of products of factors, by recursive descent."""

    def __init__(self, tex: str, values: dict[str, Array]) -> None:
        self.rest = tex
        written = VECTORS | MATRICES | STACKED
        self.signs = sorted(((t, values[v]) for v, t in written.items()), key=lambda p: -len(p[0]))

    def take(self, text: str) -> bool:
        self.rest = self.rest.lstrip()
        if not self.rest.startswith(text):
            return False
        self.rest = self.rest[len(text) :]
        return True

    def need(self, text: str) -> None:
        assert self.take(text), f"expected {text} at {self.rest}"

    def sum(self) -> Array:
        total = -self.product() if self.take("-") else self.product()
        while True:
            if self.take("+"):
                total = total + self.product()
            elif self.take("-"):
                total = total - self.product()
            else:
                return total

    def product(self) -> Array:
        total = self.chain()
        while self.take(r"\odot"):
            total = total * self.chain()
        return total

    def chain(self) -> Array:
        total = self.factor()
        while not self.rest.startswith(r"\,]") and self.take(r"\,"):
            right = self.factor()
            total = total * right if isinstance(total, Fraction) else total @ right
        return total

    def factor(self) -> Array:
        base = self.atom()
        while self.take("^{"):
            if self.take(r"\top"):
                base = base.T
            else:
                self.need(r"\odot")
                base = base ** int(self.number())
            self.need("}")
        return base

    def number(self) -> str:
        found = re.match(r"\s*\d+", self.rest)
        assert found, f"expected a number at {self.rest}"
        self.rest = self.rest[found.end() :]
        return found[0]

    def atom(self) -> Array:
        for name, sign in FUNCTIONS.items():
            if self.take(sign):
                return Exact().apply(name, self.atom())
        for opening, closing in (("(", ")"), (r"\biggl(", r"\biggr)")):
            if self.take(opening):
                inside = self.sum()
                self.need(closing)
                return inside
        if self.take(r"\begin{pmatrix}"):
            rows = [self.sum()]
            while self.take("\\\\"):
                rows.append(self.sum())
            self.need(r"\end{pmatrix}")
            return np.concatenate([np.broadcast_to(r, (2, 1)) for r in rows])
        if self.take(r"[\,"):
            inside = self.sum()
            self.need(r"\,]_{")
            start = int(self.number())
            self.need(":")
            stop = int(self.number())
            self.need("}")
            return inside[start - 1 : stop]
        if self.take(r"\mathbf{1}"):
            return np.full((2, 1), Fraction(1), object)
        if self.take(r"\tfrac{"):
            above = int(self.number())
            self.need("}{")
            below = int(self.number())
            self.need("}")
            return Fraction(above, below)
        for sign, value in self.signs:
            if self.take(sign):
                return value
        return Fraction(int(self.number()))
