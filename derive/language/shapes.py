"""Shapes by unification: each parameter's shape follows from how the equations use it."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import sympy as sp

from derive.errors import CellError, one_line
from derive.expressions import Shape
from derive.language.reading import Program, Statement

__all__ = ["infer"]


@dataclass(eq=False)
class _Size:
    """A dimension, perhaps not known yet; `origin` says what fixed it."""

    value: sp.Expr | None = None
    origin: str = ""
    same: "_Size | None" = None

    def root(self) -> "_Size":
        node = self
        while node.same is not None:
            node = node.same
        return node


@dataclass(eq=False)
class _Form:
    """A shape, perhaps not known yet: None, (size,) for a vector, (rows, columns) for a matrix."""

    sizes: list[_Size] | None = None
    origin: str = ""
    same: "_Form | None" = None

    def root(self) -> "_Form":
        node = self
        while node.same is not None:
            node = node.same
        return node

    def __str__(self) -> str:
        sizes = self.root().sizes
        if sizes is None:
            return "[?]"
        known = [size.root().value for size in sizes]
        return "[" + ", ".join("?" if v is None else str(v) for v in known) + "]"


@dataclass
class _Scope:
    """What is known while the equations are read from top to bottom."""

    states: frozenset[str]
    inputs: frozenset[str]
    forms: dict[str, _Form]
    defined: set[str] = field(default_factory=set)
    lines: dict[str, int] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)


def infer(program: Program) -> dict[str, Shape]:
    """The shape of every name in the program; parameters come in order of appearance.

    Raises:
        CellError: a contradiction, with the equation, both shapes and where each came from.
    """
    scope = _declared(program)
    for statement in program.statements:
        _check_left_side(scope, statement)
    for statement in program.statements:
        try:
            form = _form(scope, statement, statement.value)
            place = scope.forms.setdefault(statement.name, _Form())
            if form is not None:
                _unify(place, form)
            elif place.root().sizes is None:
                raise CellError("a number alone has no shape; multiply it by something that has")
        except CellError as error:
            _fail(statement, str(error))
        scope.defined.add(statement.name)
    _check_uses(scope, program)
    return {name: _solved(scope, program, name) for name in scope.forms}


def _declared(program: Program) -> _Scope:
    forms: dict[str, _Form] = {}
    kinds: dict[str, set[str]] = {"input": set(), "state": set(), "parameter": set()}
    sizes = {size for d in program.declarations for size in d.dimensions}
    for declared in program.declarations:
        if declared.name in forms:
            raise CellError(f"line {declared.line}: '{declared.name}' is declared twice")
        if declared.name in sizes:
            raise CellError(f"line {declared.line}: '{declared.name}' is also the name of a size")
        origin = f"declared in line {declared.line}"
        known = [_Size(_dimension(size), origin) for size in declared.dimensions]
        forms[declared.name] = _Form(known, origin)
        kinds[declared.kind].add(declared.name)
    if not kinds["state"]:
        raise CellError("line 1: no state is declared; write for example `state h[n]`")
    names = [s.name for s in program.statements]
    clash = sizes & {*names, *kinds["input"], *kinds["state"], *kinds["parameter"]}
    if clash:
        line = next(s.line for s in program.statements if s.name in clash)
        raise CellError(f"line {line}: '{min(clash)}' is also the name of a size")
    scope = _Scope(frozenset(kinds["state"]), frozenset(kinds["input"]), forms)
    for reserved in sorted(f"{state}_0" for state in scope.states):
        if reserved in forms or reserved in names or _mentions(program, reserved):
            raise CellError(
                f"line 1: '{reserved}' names the initial state of '{reserved[:-2]}': "
                "choose another name"
            )
    for size in sorted(sizes):
        if not size.isdigit() and _mentions(program, size):
            raise CellError(f"line 1: '{size}' is a size, and is read as a value: rename one")
    return scope


def _mentions(program: Program, name: str) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == name
        for statement in program.statements
        for node in ast.walk(statement.value)
    )


def _dimension(size: str) -> sp.Expr:
    return sp.Integer(size) if size.isdigit() else sp.Symbol(size, integer=True, positive=True)


def _check_left_side(scope: _Scope, statement: Statement) -> None:
    name = statement.name
    if name in scope.inputs:
        _fail(statement, f"'{name}' is an input; an equation cannot define it")
    if name in scope.forms and name not in scope.states:
        _fail(statement, f"'{name}' is a declared parameter; an equation cannot define it")
    if name in scope.lines:
        _fail(statement, f"'{name}' is defined twice, first in line {scope.lines[name]}")
    scope.lines[name] = statement.line


def _check_uses(scope: _Scope, program: Program) -> None:
    for declared in program.declarations:
        if declared.kind == "state" and declared.name not in scope.defined:
            raise CellError(
                f"line {declared.line}: state '{declared.name}' has no equation; "
                f"write `{declared.name} = ...`"
            )
        if declared.kind != "state" and declared.name not in scope.read:
            raise CellError(
                f"line {declared.line}: {declared.kind} '{declared.name}' is never read; remove it"
            )
    for statement in program.statements:
        if statement.name not in scope.states | scope.read:
            _fail(statement, f"nothing reads '{statement.name}'; remove the equation or use it")


def _form(scope: _Scope, statement: Statement, node: ast.expr) -> _Form | None:
    """The shape of a tree; None for a number, which takes any shape."""
    descend: Callable[[ast.expr], _Form | None] = lambda n: _form(scope, statement, n)
    match node:
        case ast.Constant():
            return None
        case ast.UnaryOp():
            return descend(node.operand)
        case ast.Name():
            return _named(scope, node.id)
        case ast.Subscript(value=ast.Name(id=name)):
            if ast.unparse(node.slice) == "t":
                return _named(scope, name)
            if name not in scope.states:
                raise CellError(
                    f"'{name}[t-1]', but '{name}' is not a state; to keep it one step, declare "
                    f"`state p[...]`, write `p = {name}` and read p[t-1]"
                )
            return scope.forms[name]
        case ast.Attribute(value=ast.Name(id=name)):
            form = _named(scope, name)
            rows, columns = _matrix(form, f"{name}.T")
            return _Form([columns, rows], f"`{name}.T`")
        case ast.Call():
            return descend(node.args[0])
        case ast.List():
            return _stacked([descend(element) for element in node.elts])
        case ast.BinOp(op=ast.MatMult()):
            return _product(node, descend(node.left), descend(node.right))
        case ast.BinOp():
            left, right = descend(node.left), descend(node.right)
            if left is not None and right is not None:
                _unify(left, right)
            return right if left is None else left
    raise CellError(f"'{type(node).__name__}' is not in the language")


def _named(scope: _Scope, name: str) -> _Form:
    if name in scope.lines and name not in scope.defined:
        if name in scope.states:
            raise CellError(
                f"'{name}' is read before its equation in line {scope.lines[name]}; "
                f"write {name}[t-1] for the step before, or move that equation up"
            )
        raise CellError(
            f"'{name}' is read before its equation in line {scope.lines[name]}; move that up"
        )
    scope.read.add(name)
    return scope.forms.setdefault(name, _Form())


def _stacked(forms: list[_Form | None]) -> _Form:
    total: sp.Expr = sp.S.Zero
    for form in forms:
        if form is None:
            raise CellError("a number in a list; only vectors can be stacked")
        sizes = form.root().sizes
        value = sizes[0].root().value if sizes and len(sizes) == 1 else None
        if value is None:
            raise CellError(f"a list stacks vectors of known size, found {form}; declare it")
        total += value
    return _Form([_Size(total, "a stacked list")], "a stacked list")


def _product(node: ast.BinOp, left: _Form | None, right: _Form | None) -> _Form:
    text = one_line(ast.unparse(node), 60)
    if left is None or right is None:
        raise CellError(f"`{text}`: '@' between a number and something; use '*'")
    rows, columns = _matrix(left, text)
    vector = _vector(right, text)
    _same(columns, vector, text, left, right)
    return _Form([rows], f"`{text}`")


def _matrix(form: _Form, text: str) -> list[_Size]:
    form = form.root()
    if form.sizes is None:
        form.sizes, form.origin = [_Size(), _Size()], f"`{text}`"
    if len(form.sizes) != 2:
        raise CellError(f"`{text}`: a matrix expected, found {form} ({form.origin})")
    return form.sizes


def _vector(form: _Form, text: str) -> _Size:
    form = form.root()
    if form.sizes is None:
        form.sizes, form.origin = [_Size()], f"`{text}`"
    if len(form.sizes) != 1:
        raise CellError(f"`{text}`: a vector expected right of '@', found {form} ({form.origin})")
    return form.sizes[0]


def _unify(a: _Form, b: _Form) -> None:
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
        _same(x, y, "", a, b)


def _same(a: _Size, b: _Size, text: str, left: _Form, right: _Form) -> None:
    a, b = a.root(), b.root()
    if a is b:
        return
    if a.value is not None and b.value is not None:
        if a.value != b.value:
            _clash(left, right, text)
        return
    first, second = (a, b) if a.value is None else (b, a)
    first.same = second


def _clash(a: _Form, b: _Form, text: str = "") -> NoReturn:
    where = f"`{text}`: " if text else ""
    origins = [f"{form} ({_origin(form.root())})" for form in (a, b)]
    raise CellError(f"{where}shapes {origins[0]} and {origins[1]} do not fit")


def _origin(form: _Form) -> str:
    inner = [size.root().origin for size in form.sizes or [] if size.root().origin]
    return ", ".join(dict.fromkeys([form.origin, *inner] if form.origin else inner)) or "inferred"


def _solved(scope: _Scope, program: Program, name: str) -> Shape:
    form = scope.forms[name].root()
    sizes = [size.root().value for size in form.sizes or []]
    if not sizes or None in sizes:
        statement = next(s for s in program.statements if name in _names(s.value) or s.name == name)
        _fail(
            statement,
            f"the shape of '{name}' does not follow from its use, found {form}; "
            f"declare it: `parameter {name}[...]`",
        )
    return tuple(sizes)


def _names(tree: ast.expr) -> Iterator[str]:
    return (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def _fail(statement: Statement, message: str) -> NoReturn:
    raise CellError(f"line {statement.line}: {message}, in `{one_line(statement.text)}`") from None
