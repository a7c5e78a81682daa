"""Reads the definitions of a generated Coq file back, and computes them with NumPy.

Written against the text alone: it shares nothing with what wrote it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

TOKEN = re.compile(
    r"\s*(\.\*|\*\[|%nat|%mat|%R|[A-Za-z_][\w']*|\d+|[()\[\]*+/^-])",
)
DEFINITION = re.compile(
    r"^Definition (\w+) ((?:\w+ ?)+): (mat|st|par|inp) :=(.*?)\.$", re.MULTILINE | re.DOTALL
)
RECORD = re.compile(r"^Record (par|inp|st) := mk\w+ \{ (.*?) \}\.", re.MULTILINE)
FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "sigm": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "exp": np.exp,
    "softplus": lambda z: np.log1p(np.exp(z)),
    "ln": np.log,
    "sqrt": np.sqrt,
    "Rinv": lambda z: 1 / z,
    "sin": np.sin,
    "cos": np.cos,
    "relu": lambda z: np.where(z > 0, z, 0),
    "heaviside": lambda z: np.where(z > 0, 1.0, 0.0),
    "absolute": np.abs,
    "sgn": np.sign,
    "frac_part": lambda z: z - np.floor(z),
}


class CoqFile:
    """The definitions of a file, at sizes that are given in the order of its variables.

    Matrices are arrays; records are dicts by field.
    """

    def __init__(self, source: str, sizes: Sequence[int]) -> None:
        text = re.sub(r"\(\*.*?\*\)", " ", source, flags=re.DOTALL)
        variables = re.search(r"^Variables (.*) : nat\.$", text, re.MULTILINE)
        self.sizes = dict(zip(variables[1].split() if variables else (), sizes, strict=True))
        self.fields = {
            kind: [field.split(":")[0].strip() for field in body.split(";")] if body.strip() else []
            for kind, body in RECORD.findall(text)
        }
        self.definitions = {
            name: (names.split(), _parsed(body))
            for name, names, _, body in DEFINITION.findall(text)
        }

    def call(self, name: str, *arguments: Any) -> Any:
        """What a definition is at these arguments; each is computed once."""
        names, body = self.definitions[name]
        return self._of(body, _Scope(dict(zip(names, arguments, strict=True))))

    def _of(self, tree: Any, scope: "_Scope") -> Any:
        kind, *rest = tree
        if kind == "number":
            return float(rest[0])
        if kind == "call":
            return self._called(rest[0], rest[1:], scope)
        left, right = (self._of(part, scope) for part in rest[:2])
        match kind:
            case "+":
                left, right = _cropped(left, right)
                return left + right
            case "*" | ".*":
                left, right = _cropped(left, right)
                return left * right
            case "mmul":
                size = int(self._nat(rest[2]))
                a, b = _wide(left, None, size), _wide(right, size, None)
                return a @ b
        raise AssertionError(f"no meaning for {kind}")

    def _called(self, name: str, parts: list[Any], scope: "_Scope") -> Any:
        if not parts and name in scope.values:
            return scope.values[name]
        key = (name, str(parts))
        if name in self.definitions:
            if key not in scope.known:
                arguments = [self._of(part, scope) for part in parts]
                names, body = self.definitions[name]
                inner = scope if names == [p[1] for p in parts] else _Scope({})
                inner.values.update(zip(names, arguments, strict=True))
                scope.known[key] = self._of(body, inner)
            return scope.known[key]
        for kind, fields in self.fields.items():
            if name == f"mk{kind}":
                return dict(zip(fields, (self._of(p, scope) for p in parts), strict=True))
            if name in fields:
                return self._of(parts[0], scope)[name]
        match name:
            case "mconst":
                return _Constant(self._number(parts[0]))
            case "mzero":
                return _Constant(0.0)
            case "T":
                return self._of(parts[0], scope).T
            case "mmap":
                value = self._of(parts[1], scope)
                f = FUNCTIONS[parts[0][1]]
                return _Constant(f(value.value)) if isinstance(value, _Constant) else f(value)
            case "hpow":
                return self._of(parts[0], scope) ** self._nat(parts[1])
            case "mstack":
                rows = self._nat(parts[0])
                top = _wide(self._of(parts[1], scope), rows, 1)
                return np.vstack([top, self._of(parts[2], scope)])
            case "mrows":
                value = self._of(parts[1], scope)
                return value if len(value) == 1 else value[self._nat(parts[0]) :]
            case "lse":
                return np.log(np.sum(np.exp(self._of(parts[1], scope)), keepdims=True))
        return self._number(("call", name, *parts))

    def _nat(self, tree: Any) -> int:
        return round(self._number(tree))

    def _number(self, tree: Any) -> float:
        kind, *rest = tree
        if kind == "number":
            return float(rest[0])
        if kind == "call":
            name, *parts = rest
            if name in self.sizes:
                return float(self.sizes[name])
            values = [self._number(part) for part in parts]
            if name == "minus":
                return -values[0]
            named = {"INR": lambda v: v, "sqrt": np.sqrt, "inverse": lambda v: 1 / v}
            return float(named[name](values[0]))
        left, right = (self._number(part) for part in rest[:2])
        return {"+": left + right, "*": left * right, "^": left**right}[kind]


class _Scope:
    """Arguments, and what is known of them."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values, self.known = values, {}


class _Constant:
    """A matrix of any shape with one value."""

    __array_ufunc__ = None  # NumPy leaves sums and products with it to it

    def __init__(self, value: float) -> None:
        self.value = value
        self.T = self

    def __add__(self, other: Any) -> Any:
        return (
            self.value + other
            if not isinstance(other, _Constant)
            else _Constant(self.value + other.value)
        )

    __radd__ = __add__

    def __mul__(self, other: Any) -> Any:
        return (
            self.value * other
            if not isinstance(other, _Constant)
            else _Constant(self.value * other.value)
        )

    __rmul__ = __mul__


def _cropped(left: Any, right: Any) -> tuple[Any, Any]:
    """The rows that both have: a part of a stack goes on to its end."""
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        rows = min(len(left), len(right))
        if rows > 1:
            return left[:rows], right[:rows]
    return left, right


def _wide(value: Any, rows: int | None, columns: int | None) -> Any:
    """A constant as an array, where a side that nothing says has one; one row may stand for all."""
    if isinstance(value, _Constant):
        return np.full((rows or 1, columns or 1), value.value)
    shape = (
        rows if rows and len(value) == 1 else len(value),
        columns if columns and value.shape[1] == 1 else value.shape[1],
    )
    return np.broadcast_to(value, shape)


def _parsed(text: str) -> Any:
    tokens = [t for t in TOKEN.findall(text) if not t.startswith("%")]
    tree, rest = _sum(tokens)
    assert not rest, f"left over: {rest[:8]}"
    return tree


def _sum(tokens: list[str]) -> tuple[Any, list[str]]:
    tree, tokens = _product(tokens)
    while tokens and tokens[0] == "+":
        right, tokens = _product(tokens[1:])
        tree = ("+", tree, right)
    return tree, tokens


def _product(tokens: list[str]) -> tuple[Any, list[str]]:
    tree, tokens = _scaled(tokens)
    while tokens and tokens[0] in ("*", "*["):
        if tokens[0] == "*":
            right, tokens = _scaled(tokens[1:])
            tree = ("*", tree, right)
        else:
            size, tokens = _sum(tokens[1:])
            assert tokens[0] == "]"
            right, tokens = _scaled(tokens[1:])
            tree = ("mmul", tree, right, size)
    return tree, tokens


def _scaled(tokens: list[str]) -> tuple[Any, list[str]]:
    tree, tokens = _applied(tokens)
    if tokens and tokens[0] == ".*":
        right, tokens = _scaled(tokens[1:])
        return (".*", tree, right), tokens
    return tree, tokens


def _applied(tokens: list[str]) -> tuple[Any, list[str]]:
    if tokens[0] == "-":
        inner, tokens = _applied(tokens[1:])
        return ("call", "minus", inner), tokens
    if tokens[0] == "/":
        inner, tokens = _applied(tokens[1:])
        return ("call", "inverse", inner), tokens
    head, tokens = _atom(tokens)
    parts = []
    while tokens and (tokens[0] == "(" or re.match(r"[A-Za-z_\d]", tokens[0])):
        part, tokens = _atom(tokens)
        parts.append(part)
    tree = ("call", head[1], *parts) if parts else head
    while tokens and tokens[0] == "^":
        if tokens[1] == "T":
            tree, tokens = ("call", "T", tree), tokens[2:]
        else:
            power, tokens = _atom(tokens[1:])
            tree = ("^", tree, power)
    return tree, tokens


def _atom(tokens: list[str]) -> tuple[Any, list[str]]:
    first, *tokens = tokens
    if first == "(":
        tree, tokens = _sum(tokens)
        assert tokens[0] == ")", f"expected ), found {tokens[:6]}"
        tokens = tokens[1:]
        while tokens[:2] == ["^", "T"]:
            tree, tokens = ("call", "T", tree), tokens[2:]
        return tree, tokens
    return (("number", first) if first.isdigit() else ("call", first)), tokens
