"""Shapes by unification: each parameter's shape follows from how the equations use it."""

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

import sympy as sp

from derive.errors import CellError, one_line
from derive.expressions import Shape
from derive.language.reading import Program, Statement, check_size
from derive.language.shorthands import SHORTHANDS
from derive.language.unification import Form, Size, as_matrix, is_scalar, right_of, same_size, unify
from derive.language.whitelist import chain, segment, steps_back

__all__ = ["infer"]

_NO_STATE = (
    "'{0}[t-1]', but '{0}' is not a state; to keep it one step, declare `state p[...]`, "
    "write `p = {0}` and read p[t-1]"
)


@dataclass
class _Scope:
    """What is known while the equations are read from top to bottom."""

    states: frozenset[str]
    inputs: frozenset[str]
    forms: dict[str, Form]
    sizes: frozenset[str] = frozenset()
    defined: set[str] = field(default_factory=set)
    beside: list[tuple[Statement, Form, Form, Form]] = field(default_factory=list)
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
            place = scope.forms.setdefault(statement.name, Form())
            if form is not None:
                _defined(scope, statement, place, form)
            elif place.root().sizes is None:
                raise CellError("a number alone has no shape; multiply it by something that has")
        except CellError as error:
            _fail(statement, str(error))
        scope.defined.add(statement.name)
    _check_uses(scope, program)
    _settle_scalars(scope)
    return {name: _solved(scope, program, name) for name in scope.forms}


def _declared(program: Program) -> _Scope:
    forms: dict[str, Form] = {}
    kinds: dict[str, set[str]] = {"input": set(), "state": set(), "parameter": set()}
    sizes = {str(s) for d in program.declarations for size in d.dimensions for s in _symbols(size)}
    for declared in program.declarations:
        if declared.name in forms:
            raise CellError(f"line {declared.line}: '{declared.name}' is declared twice")
        origin = f"declared in line {declared.line}"
        forms[declared.name] = Form([Size(d, origin) for d in declared.dimensions], origin)
        kinds[declared.kind].add(declared.name)
    for kind, example in (("input", "input x[m]"), ("state", "state h[n]")):
        if not kinds[kind]:
            raise CellError(f"line 1: no {kind} is declared; write for example `{example}`")
    lines = _lines(program, sizes)
    for size in sorted(sizes & lines.keys(), key=lambda name: (lines[name], name)):
        raise CellError(f"line {lines[size]}: '{size}' is also the name of a size; rename one")
    for state in sorted(kinds["state"]):
        if f"{state}_0" in lines:
            raise CellError(
                f"line {lines[f'{state}_0']}: '{state}_0' names the initial state of '{state}'; "
                "choose another name"
            )
    return _Scope(frozenset(kinds["state"]), frozenset(kinds["input"]), forms, frozenset(sizes))


def _lines(program: Program, sizes: set[str]) -> dict[str, int]:
    """Where each name that stands for a value first stands; a size read is a number."""
    found = {declared.name: declared.line for declared in program.declarations}
    for statement in program.statements:
        for name in (statement.name, *sorted(_names(statement.value) - sizes)):
            found.setdefault(name, statement.line)
    return found


def _symbols(size: sp.Expr) -> set[sp.Symbol]:
    return size.free_symbols


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
    for declared in program.declarations:
        if declared.kind != "state" and declared.name not in scope.read:
            raise CellError(
                f"line {declared.line}: {declared.kind} '{declared.name}' is never read; remove it"
            )
    for statement in program.statements:
        if statement.name not in scope.states | scope.read:
            _fail(statement, f"nothing reads '{statement.name}'; remove the equation or use it")


def _form(scope: _Scope, statement: Statement, node: ast.expr) -> Form | None:
    """The shape of a tree; None for a number, which takes any shape."""
    descend: Callable[[ast.expr], Form | None] = lambda n: _form(scope, statement, n)
    match node:
        case ast.Constant():
            return None
        case ast.UnaryOp():
            return descend(node.operand)
        case ast.Name():
            return None if node.id in scope.sizes else _named(scope, node.id)
        case ast.Subscript(value=ast.Name(id=name)):
            if steps_back(node) == 0:
                if name not in scope.inputs | scope.states and name not in scope.lines:
                    raise CellError(f"'{name}[t]', but '{name}' is a parameter; write {name}")
                return _named(scope, name)
            if name not in scope.states:
                raise CellError(_NO_STATE.format(name))
            return scope.forms[name]
        case ast.Attribute():
            form, text = descend(node.value), one_line(segment(node, statement.text), 40)
            if form is None:
                raise CellError(f"`{text}`: a number has no transpose")
            place = f"`{text}` in line {statement.line}"
            if len(form.root().sizes or []) == 1:
                return Form([Size(sp.S.One, place), (form.root().sizes or [])[0]], place)
            rows, columns = as_matrix(form, text, statement.line)
            return Form([columns, rows], place)
        case ast.Call(func=ast.Name(id=name)) if name in SHORTHANDS:
            return _shorthand(scope, statement, node)
        case ast.Call():
            return descend(node.args[0])
        case ast.List():
            return _stacked([descend(element) for element in node.elts])
        case ast.BinOp(op=ast.MatMult()):
            return _product(scope, statement, node)
        case ast.BinOp():
            return _joint(scope, statement, descend(node.left), descend(node.right))
    raise CellError(f"'{type(node).__name__}' is not in the language")


def _defined(scope: _Scope, statement: Statement, place: Form, form: Form) -> None:
    """A name takes the shape of its right side; a declared state may be filled by a scalar."""
    if place.root().sizes is None:
        unify(place, form)
    else:
        _joint(scope, statement, form, place)


def _joint(
    scope: _Scope, statement: Statement, left: Form | None, right: Form | None
) -> Form | None:
    """The shape of two operands that meet entry by entry, where a scalar meets every entry."""
    if left is None or right is None:
        return right if left is None else left
    if is_scalar(left) != is_scalar(right):
        scalar, other = (left, right) if is_scalar(left) else (right, left)
        if other.root().sizes is not None:
            return other
        result = Form()
        scope.beside.append((statement, scalar, other, result))
        return result
    unify(left, right)
    return left


def _settle_scalars(scope: _Scope) -> None:
    """What met a scalar before its own shape was known: a scalar, if their result is one.

    Where the result is a vector it could be either, and its author must declare it.
    """
    for statement, scalar, other, result in scope.beside:
        try:
            if other.root().sizes is None:
                if result.root().sizes is not None and not is_scalar(result):
                    continue
                unify(scalar, other)
            unify(other, result)
        except CellError as error:
            _fail(statement, str(error))


def _shorthand(scope: _Scope, statement: Statement, node: ast.Call) -> Form | None:
    """The shape of what a row of `SHORTHANDS` gives."""
    text = one_line(segment(node, statement.text), 40)
    row = SHORTHANDS[text.partition("(")[0].strip()]
    forms = [_form(scope, statement, argument) for argument in node.args]
    known = [form for form in forms if form is not None]
    if not known or (row.shape != "entries" and len(known) < len(forms)):
        raise CellError(f"`{text}`: {row.name} of a number; write the number that it gives")
    place = f"`{text}` in line {statement.line}"
    if row.shape == "entries":
        return _joint(scope, statement, forms[0], forms[1])
    if row.shape == "outer":
        return Form([right_of(form, text, statement.line)[0] for form in known], place)
    if row.name == "logsumexp" or row.shape == "vector":
        right_of(known[0], text, statement.line, columns=False)
    for form in known[1:]:
        unify(known[0], form)
    return known[0] if row.shape == "vector" else Form([Size(sp.S.One, place)], place)


def _named(scope: _Scope, name: str) -> Form:
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
    return scope.forms.setdefault(name, Form())


def _stacked(forms: list[Form | None]) -> Form:
    total: sp.Expr = sp.S.Zero
    for form in forms:
        if form is None:
            raise CellError("a number in a list; only vectors can be stacked")
        sizes = form.root().sizes
        value = sizes[0].root().value if sizes and len(sizes) == 1 else None
        if value is None:
            raise CellError(f"a list stacks vectors of known size, found {form}; declare it")
        total += value
    check_size(total)
    return Form([Size(total, "a stacked list")], "a stacked list")


def _product(scope: _Scope, statement: Statement, node: ast.BinOp) -> Form:
    """A chain A @ B @ x is A @ (B @ x): the matrix product is associative."""
    text = one_line(segment(node, statement.text), 60)
    *matrices, form = (_form(scope, statement, factor) for factor in chain(node))
    for matrix in reversed(matrices):
        if matrix is None or form is None:
            raise CellError(f"`{text}`: '@' between a number and something; use '*'")
        inner, *outer = right_of(form, text, statement.line)
        if outer and len(matrix.root().sizes or []) == 1:  # a column and a row
            rows, columns = (matrix.root().sizes or [])[0], Size(sp.S.One, "a column")
        else:
            rows, columns = as_matrix(matrix, text, statement.line)
        same_size(columns, inner, text, matrix, form)
        form = Form([rows, *outer], f"`{text}` in line {statement.line}")
    assert form is not None
    return form


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


def _names(tree: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _fail(statement: Statement, message: str) -> NoReturn:
    raise CellError(f"line {statement.line}: {message}, in `{one_line(statement.text)}`") from None
