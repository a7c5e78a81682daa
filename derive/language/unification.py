"""Shapes that are not known yet, and making two of them one."""

from dataclasses import dataclass
from typing import NoReturn

import sympy as sp

from derive.errors import CellError, one_line

__all__ = [
    "Form",
    "Size",
    "as_matrix",
    "as_vector",
    "is_column",
    "is_scalar",
    "right_of",
    "same_size",
    "unify",
]


@dataclass(eq=False)
class Size:
    """A dimension, perhaps not known yet; `origin` says what fixed it."""

    value: sp.Expr | None = None
    origin: str = ""
    same: "Size | None" = None

    def root(self) -> "Size":
        node = self
        while node.same is not None:
            node = node.same
        return node


@dataclass(eq=False)
class Form:
    """A shape, perhaps not known yet: None, (size,) for a vector, (rows, columns) for a matrix."""

    sizes: list[Size] | None = None
    origin: str = ""
    same: "Form | None" = None

    def root(self) -> "Form":
        node = self
        while node.same is not None:
            node = node.same
        return node

    def __str__(self) -> str:
        sizes = self.root().sizes
        if sizes is None:
            return "[?]"
        known = [size.root().value for size in sizes]
        return "[" + ", ".join("?" if v is None else one_line(str(v), 24) for v in known) + "]"


def as_matrix(form: Form, text: str, line: int) -> list[Size]:
    """The rows and columns of a form that stands where `text` needs a matrix."""
    form = form.root()
    if form.sizes is None:
        form.sizes, form.origin = [Size(), Size()], f"`{text}` in line {line}"
    if len(form.sizes) != 2:
        raise CellError(f"`{text}`: a matrix expected, found {form} ({_origin(form)})")
    return form.sizes


def right_of(form: Form, text: str, line: int) -> list[Size]:
    """The sizes of a form that stands right of '@' in `text`: a vector where nothing is known."""
    form = form.root()
    if form.sizes is None:
        form.sizes, form.origin = [Size()], f"`{text}` in line {line}"
    return form.sizes


def as_vector(form: Form, text: str, line: int) -> list[Size]:
    """The rows of a form that stands where `text` needs a vector; one column is one, too."""
    sizes = right_of(form, text, line)
    if not is_column(form):
        raise CellError(f"`{text}`: a vector expected, found {form} ({_origin(form.root())})")
    return sizes[:1]


def is_column(form: Form) -> bool:
    """Whether the shape is a vector's, or may be: nothing is known, or there is one column."""
    sizes = form.root().sizes
    return sizes is None or len(sizes) == 1 or sizes[1].root().value == 1


def is_scalar(form: Form) -> bool:
    """Whether the shape is known to be [1]."""
    sizes = form.root().sizes
    return sizes is not None and [size.root().value for size in sizes] == [1]


def unify(a: Form, b: Form) -> None:
    """Make two shapes one.

    Raises:
        CellError: they contradict; shows both and where each came from.
    """
    a, b = a.root(), b.root()
    if a is b:
        return
    if a.sizes is None or b.sizes is None:
        first, second = (a, b) if a.sizes is None else (b, a)
        first.same = second
        return
    if len(a.sizes) != len(b.sizes):
        _clash(a, b)
    for x, y in zip(a.sizes, b.sizes, strict=True):
        same_size(x, y, "", a, b)


def same_size(a: Size, b: Size, text: str, left: Form, right: Form) -> None:
    """Make two sizes one; `left` and `right` are the shapes to show if they contradict."""
    a, b = a.root(), b.root()
    if a is b:
        return
    if a.value is not None and b.value is not None:
        if a.value != b.value:
            _clash(left, right, text)
        return
    first, second = (a, b) if a.value is None else (b, a)
    first.same = second


def _clash(a: Form, b: Form, text: str = "") -> NoReturn:
    where = f"`{text}`: " if text else ""
    first, second = (f"{form} ({_origin(form.root())})" for form in (a, b))
    raise CellError(f"{where}shapes {first} and {second} do not fit")


def _origin(form: Form) -> str:
    inner = [size.root().origin for size in form.sizes or [] if size.root().origin]
    return ", ".join(dict.fromkeys([form.origin, *inner] if form.origin else inner)) or "inferred"
