"""Expressions with scalars, divisions, kinks, sums over entries, matrix states and lags.

Divisors, logarithms and roots are of what is well above zero, so that no drawn cell is near a pole.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from drawn_scope import NUMBERS, Scope

__all__ = ["GrownScope"]

_KINKED = ("relu", "abs", "heaviside", "sign", "frac")
_MORE = (
    *("divided", "divided", "kinked", "kinked", "larger", "larger", "gated", "gated", "shifted"),
    *("softmax", "positive", "sized", "filled", "memory", "memory"),
)


@dataclass
class GrownScope(Scope):
    """`memories`: matrix states by name, with their sizes; `scalars`: declared parameters."""

    memories: dict[str, tuple[str, str]] = field(default_factory=dict)
    scalars: list[str] = field(default_factory=list)
    sizes: list[str] = field(default_factory=list)

    def read_lags(self, inputs: dict[str, str]) -> None:
        """Some lags of inputs and deeper lags of the output."""
        for name, size in {**inputs, "h": "n"}.items():
            lags = (1, 2, 3) if name in inputs else (2, 3)
            if self.draw_one_of((True, False)):
                self.vectors[f"{name}[t-{self.draw_one_of(lags)}]"] = size

    def draw_one_of(self, options: Iterable[object]) -> object:
        """One of some things that are not text."""
        options = list(options)
        return options[int(self.chosen([str(k) for k in range(len(options))]))]

    def vector(self, size: str, depth: int) -> str:
        """A vector as of old, or one with something new in it."""
        if size == "1" and self.draw_one_of((True, False)):
            return self.scalar(depth)
        if not depth or self.draw_one_of((True, False)):
            return super().vector(size, depth)
        inner = lambda: self.vector(size, depth - 1)
        match self.chosen(list(_MORE)):
            case "divided":
                return f"({inner()} / {self.positive(inner())})"
            case "kinked":
                return f"{self.chosen(list(_KINKED))}({inner()})"
            case "larger":
                return f"{self.chosen(['max', 'min'])}({inner()}, {self.limit(size, depth)})"
            case "gated":
                return self.both(inner(), "*", self.scalar(depth - 1))
            case "shifted":
                return self.both(inner(), self.chosen(["+", "-"]), self.scalar(depth - 1))
            case "softmax":
                return f"softmax({inner()})"
            case "positive":
                return f"{self.chosen(['sqrt', 'log'])}{self.positive(inner())}"
            case "sized":
                return f"({inner()} {self.chosen(['/', '*'])} {self.number()})"
            case "filled":
                return f"({self.number()} - {inner()} / {self.positive(self.scalar(depth - 1))})"
        return self.remembered(size, depth - 1)

    def both(self, vector: str, operator: str, scalar: str) -> str:
        """The two in either order."""
        ends = self.draw_one_of(((vector, scalar), (scalar, vector)))
        return f"({ends[0]} {operator} {ends[1]})"

    def limit(self, size: str, depth: int) -> str:
        """What something is compared with: a vector, a scalar or a number."""
        match self.chosen(["vector", "scalar", "number", "zero"]):
            case "vector":
                return self.operand(size, depth)
            case "scalar":
                return self.scalar(depth - 1)
            case "zero":
                return "0"
        return self.chosen(list(NUMBERS))

    def positive(self, text: str) -> str:
        """Something between 0.8 and a few times what is given."""
        return self.chosen(
            [f"(2 + tanh({text}))", f"(0.9 + sigmoid({text}))", f"(1 + abs({text}))"]
        )

    def number(self) -> str:
        """A number made of sizes."""
        one, other = (self.chosen(self.sizes) for _ in range(2))
        options = [one, f"sqrt({one})", f"(1 / {one} + 0.5)", f"sqrt({one} + {other})"]
        return self.chosen([*options, f"({one} * {other}) ** 2", f"(2 / {one} - 3)"])

    def scalar(self, depth: int) -> str:
        """A scalar: a declared parameter, or a sum over what nothing else gives the size of."""
        names = [name for name, size in self.vectors.items() if size == "1"]
        outside, self.open = self.open, True
        size = self.vectors[self.chosen(list(self.vectors))]
        vector = lambda: self.vector(size, max(depth - 1, 0))
        kinds = ["parameter", "name" if names else "parameter", "sum", "dot", "norm", "logsumexp"]
        match self.chosen([*kinds, "function", "product"] if depth else kinds):
            case "parameter":
                text = self.named_scalar()
            case "name":
                text = self.name(names)
            case "sum":
                text = f"{self.chosen(['sum', 'mean'])}({vector()})"
            case "dot":
                text = f"dot({vector()}, {vector()})"
            case "norm":
                text = f"norm{self.positive(vector())}"
            case "logsumexp":
                text = f"logsumexp({vector()})"
            case "function":
                text = f"{self.chosen(['tanh', 'sigmoid', 'abs', 'sin'])}({self.scalar(depth - 1)})"
            case _:
                operator = self.chosen(["*", "+", "-"])
                text = f"({self.scalar(depth - 1)} {operator} {self.scalar(depth - 1)})"
        self.open = outside
        return text

    def named_scalar(self) -> str:
        """A scalar parameter: a new one, or one that is read elsewhere, too."""
        name = self.chosen([*self.scalars, f"s{len(self.scalars) + 1}"])
        if name not in self.scalars:
            self.scalars.append(name)
        return name

    def remembered(self, size: str, depth: int) -> str:
        """A matrix state times a vector, if one fits."""
        fitting = [
            (f"{name}[t-1]{turned}", columns)
            for name, sizes in self.memories.items()
            for turned, rows, columns in (("", *sizes), (".T", *reversed(sizes)))
            if rows == size
        ]
        if not fitting:
            return super().vector(size, depth)
        matrix, columns = self.draw_one_of(fitting)  # type: ignore[misc]  # a pair
        return f"({matrix} @ {self.vector(columns, depth)})"

    def memory(self, name: str, depth: int) -> str:
        """The next value of a matrix state."""
        rows, columns = self.memories[name]
        self.open = True
        kept = self.chosen(["", "tanh", "scaled"])
        kept = f"{kept if kept == 'tanh' else ''}({name}[t-1])" + (
            f" * {self.scalar(1)}" if kept == "scaled" else ""
        )
        if self.draw_one_of((True, False)):
            kept = f"{kept} / {self.positive(f'{name}[t-1]')}"
        others = [n for n, size in self.vectors.items() if size == columns]
        if others and self.draw_one_of((True, False)):
            names = [n for n, size in self.vectors.items() if size == rows]
            outer = f"{self.name(names)} @ {self.name(others)}.T"
        else:
            outer = f"outer({self.vector(rows, depth - 1)}, {self.vector(columns, depth - 1)})"
        text = f"{kept} + {outer}"
        return f"relu({text})" if self.draw_one_of((True, False, False)) else text

    def declarations(self) -> list[str]:
        """Those of old, and the scalars."""
        return [*super().declarations(), *(f"parameter {name}[1]" for name in self.scalars)]
