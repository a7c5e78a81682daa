"""Any matrix expression -> one NumPy expression on arrays with any leading axes.

A column (r, 1) is an array (..., r), anything else (..., r, c); leading axes are steps and batch,
or none for what is computed once. A value that is the same along an axis may have length one there:
it is *narrow*, and NumPy broadcasts it where it meets others.
"""

from collections.abc import Callable
from dataclasses import dataclass

from derive.backends.numpy.pointwise import number_text
from derive.errors import RuleError
from derive.expressions import (
    Apply,
    BlockMatrix,
    Expr,
    HadamardPower,
    HadamardProduct,
    LogSumExp,
    MatAdd,
    MatMul,
    MatrixSlice,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    ZeroMatrix,
    coefficient,
    parts_of,
)

__all__ = ["Arrays", "is_column", "shape_text"]

_SUM, _PRODUCT, _ATOM = range(3)


def is_column(expr: Expr) -> bool:
    """Whether its array has one axis of its own."""
    return bool(expr.shape[1] == 1)


def shape_text(expr: Expr) -> str:
    """Its own axes, as arguments."""
    sizes = expr.shape[:1] if is_column(expr) else expr.shape
    return ", ".join(number_text(size) for size in sizes)


@dataclass(frozen=True)
class _Text:
    text: str
    strength: int = _ATOM
    narrow: bool = False

    def at(self, place: int) -> str:
        return self.text if self.strength >= place else f"({self.text})"


@dataclass(frozen=True)
class Arrays:
    """Expressions as text.

    Attributes:
        resolve: the text of a name.
        once: whether a name has no leading axes.
    """

    resolve: Callable[[str], str]
    once: Callable[[str], bool]

    def full(self, expr: Expr) -> str:
        """The text of an array of the whole shape."""
        found = self._text(expr)
        if not found.narrow:
            return found.text
        number, rest = coefficient(expr)
        if isinstance(rest, OneMatrix | ZeroMatrix):
            value = "0" if isinstance(rest, ZeroMatrix) else number_text(number)
            return f"np.full(({shape_text(expr)},), {value}, dtype)"
        return f"_full({found.text}, {shape_text(expr)})"

    def is_once(self, expr: Expr) -> bool:
        """Whether the array has no leading axes."""
        return all(self.once(leaf.name) for leaf in expr.atoms(MatrixSymbol))

    def _whole(self, expr: Expr, place: int) -> str:
        found = self._text(expr)
        return self.full(expr) if found.narrow else found.at(place)

    def _text(self, expr: Expr) -> _Text:
        number, rest = coefficient(expr)
        if isinstance(rest, OneMatrix):
            return _Text(number_text(number), _SUM, True)
        if number != 1:
            inner, factor = self._text(rest), number_text(number)
            factor = f"({factor})" if not number.is_Integer and "e" not in factor else factor
            return _Text(f"{factor} * {inner.at(_PRODUCT)}", _PRODUCT, inner.narrow)
        match expr:
            case MatrixSymbol():
                return _Text(self.resolve(expr.name))
            case ZeroMatrix():
                return _Text("0", _ATOM, True)
            case MatAdd():
                parts = [self._text(arg) for arg in expr.args]
                text = " + ".join(p.at(_SUM) for p in parts).replace("+ -", "- ")
                return _Text(text, _SUM, all(p.narrow for p in parts))
            case HadamardProduct():
                return self._product(expr)
            case HadamardPower():
                base = self._text(expr.args[0])
                return _Text(f"{base.at(_ATOM)} ** {expr.args[1]}", _PRODUCT, base.narrow)
            case Apply(name="reciprocal"):
                inner = self._text(expr.argument)
                return _Text(f"1 / {inner.at(_ATOM)}", _PRODUCT, inner.narrow)
            case Apply():
                inner = self._text(expr.argument)
                return _Text(f"_{expr.name}({inner.text})", _ATOM, inner.narrow)
            case LogSumExp():
                return _Text(f"_logsumexp({self.full(expr.argument)})")
            case Transpose():
                return self._transposed(expr.args[0])
            case BlockMatrix():
                return _Text(f"_stacked({', '.join(map(self.full, parts_of(expr)))})")
            case MatrixSlice():
                start, stop = (number_text(edge) for edge in expr.rowslice[:2])
                return _Text(f"{self._whole(expr.parent, _ATOM)}[..., {start}:{stop}]")
            case MatMul():
                return self._matmul(*expr.args)
        raise RuleError(f"no array text for {type(expr).__name__}")

    def _product(self, expr: HadamardProduct) -> _Text:
        parts, text = [self._text(arg) for arg in expr.args], ""
        for arg, part in zip(expr.args, parts, strict=True):
            if text and isinstance(arg, Apply) and arg.name == "reciprocal":
                text += f" / {self._text(arg.argument).at(_ATOM)}"
            else:
                text += f" * {part.at(_PRODUCT)}" if text else part.at(_PRODUCT)
        return _Text(text, _PRODUCT, all(p.narrow for p in parts))

    def _transposed(self, inner: Expr) -> _Text:
        """The transpose of a column is (..., 1, r), that of a scalar itself."""
        if inner.shape == (1, 1):
            return self._text(inner)
        if is_column(inner):
            return _Text(f"{self._whole(inner, _ATOM)}[..., None, :]")
        if inner.shape[0] == 1:
            return _Text(f"{self._whole(inner, _ATOM)}[..., 0, :]")
        text = self._whole(inner, _ATOM)
        return _Text(f"{text}.T" if self.is_once(inner) else f"np.swapaxes({text}, -1, -2)")

    def _matmul(self, a: Expr, b: Expr) -> _Text:
        if isinstance(a, OneMatrix) or isinstance(b, OneMatrix):
            return self._with_ones(a, b)
        if is_column(a):  # a column times a scalar or a row
            left, right = self._text(a), self._text(b)
            if is_column(b):
                return _Text(f"{left.at(_PRODUCT)} * {right.at(_PRODUCT)}", _PRODUCT)
            column = f"{self._whole(a, _ATOM)}[..., None]"
            return _Text(f"{column} * {self._whole(b, _PRODUCT)}", _PRODUCT)
        if isinstance(a, Transpose) and is_column(a.args[0]) and is_column(b):
            inner = f"{self._whole(a.args[0], _PRODUCT)} * {self._whole(b, _PRODUCT)}"
            return _Text(f"({inner}).sum(-1, keepdims=True)")
        matrix, operand = self._whole(a, _ATOM), self._whole(b, _ATOM)
        if not is_column(b):
            return _Text(f"{matrix} @ {operand}", _PRODUCT)
        if self.is_once(a):
            turned = self._whole(a.args[0], _ATOM) if isinstance(a, Transpose) else f"{matrix}.T"
            return _Text(f"{operand} @ {turned}", _PRODUCT)
        return _Text(f"({matrix} @ {operand}[..., None])[..., 0]")

    def _with_ones(self, a: Expr, b: Expr) -> _Text:
        """Sums, and scalars, columns and rows that are spread."""
        if isinstance(a, OneMatrix) and a.shape[1] != 1:
            axis = "-1" if is_column(b) else "-2"
            text = f"{self._whole(b, _ATOM)}.sum({axis}, keepdims=True)"
            return _Text(text, _ATOM, a.shape[0] != 1)
        if isinstance(b, OneMatrix) and b.shape[0] != 1:
            summed = f"{self._whole(a, _ATOM)}.sum(-1)"
            return _Text(summed if is_column(b) else f"_full({summed}[..., None], {b.shape[1]})")
        if isinstance(a, OneMatrix):
            return _Text(self._text(b).text, self._text(b).strength, True)
        return _Text(f"{self._text(a).at(_ATOM)}[..., None]", _ATOM, True)
