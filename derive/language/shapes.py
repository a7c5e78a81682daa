"""Shapes by unification: each parameter's shape follows from how the equations use it."""

import ast
from collections.abc import Callable

import sympy as sp

from derive.errors import CellError, one_line
from derive.expressions import Shape
from derive.language.reading import Program, Statement, check_size, names_in
from derive.language.scope import (
    Meeting,
    Scope,
    check_left_side,
    check_uses,
    fail,
    scope_of,
)
from derive.language.shorthands import SHORTHANDS, Shorthand
from derive.language.unification import (
    Form,
    Size,
    as_matrix,
    as_vector,
    is_column,
    is_scalar,
    right_of,
    same_size,
    unify,
)
from derive.language.whitelist import chain, segment, steps_back

__all__ = ["infer"]

_NO_STATE = (
    "'{0}[t-{1}]', but '{0}' is neither a state nor an input; to keep it one step, declare "
    "`state p[...]`, write `p = {0}` and read p[t-{1}]"
)
_ROW = (
    "`{0}`: the transpose of a vector is a row, which stands only in a product: "
    "`a @ b.T` is a matrix, `a.T @ b` a scalar"
)


def infer(program: Program) -> dict[str, Shape]:
    """The shape of every name in the program; parameters come in order of appearance.

    Raises:
        CellError: a contradiction, with the equation, both shapes and where each came from.
    """
    scope = scope_of(program)
    for statement in program.statements:
        check_left_side(scope, statement)
    for statement in program.statements:
        try:
            form = _form(scope, statement, statement.value)
            place = scope.forms.setdefault(statement.name, Form())
            if form is not None:
                _defined(place, form)
            elif place.root().sizes is None:
                raise CellError("a number alone has no shape; multiply it by something that has")
        except CellError as error:
            fail(statement, str(error))
        scope.defined.add(statement.name)
    check_uses(scope, program)
    _settle_scalars(scope)
    for statement, form in scope.columns:
        if None in [size.root().value for size in form.root().sizes or []]:
            fail(statement, f"how many columns does {form} have? column(v) must meet a matrix")
    return {name: _solved(scope, program, name) for name in scope.forms}


def _form(scope: Scope, statement: Statement, node: ast.expr) -> Form | None:
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
                raise CellError(_NO_STATE.format(name, steps_back(node)))
            return scope.forms[name]
        case ast.Attribute():
            of = descend(node.value)
            if of is not None and len(of.root().sizes or ()) == 1:
                raise CellError(_ROW.format(one_line(segment(node, statement.text), 40)))
            return _transposed(scope, statement, node)
        case ast.Call(func=ast.Name(id=name)) if name in SHORTHANDS:
            return _shorthand(scope, statement, node, SHORTHANDS[name])
        case ast.Call():
            return descend(node.args[0])
        case ast.List():
            return _stacked([descend(element) for element in node.elts])
        case ast.BinOp(op=ast.MatMult()):
            return _product(scope, statement, node)
        case ast.BinOp():
            return _joint(scope, statement, descend(node.left), descend(node.right))
    raise CellError(f"'{type(node).__name__}' is not in the language")


def _transposed(scope: Scope, statement: Statement, node: ast.Attribute) -> Form:
    """The shape of name.T; the sizes of a vector's are (1, rows)."""
    form, text = _form(scope, statement, node.value), one_line(segment(node, statement.text), 40)
    if form is None:
        raise CellError(f"`{text}`: a number has no transpose")
    place = f"`{text}` in line {statement.line}"
    sizes = form.root().sizes or as_matrix(form, text, statement.line)
    return Form([sizes[1] if len(sizes) == 2 else Size(sp.S.One, place), sizes[0]], place)


def _defined(place: Form, form: Form) -> None:
    """A name takes the shape of its right side; a scalar fills a state that is larger."""
    if place.root().sizes is None or is_scalar(place) or not is_scalar(form):
        unify(place, form)


def _joint(
    scope: Scope, statement: Statement, left: Form | None, right: Form | None
) -> Form | None:
    """The shape of two operands that meet entry by entry, where a scalar meets every entry."""
    if left is None or right is None:
        return right if left is None else left
    if is_scalar(left) != is_scalar(right):
        scalar, other = (left, right) if is_scalar(left) else (right, left)
        if other.root().sizes is not None:
            return other
        scope.met.append(Meeting(statement, scalar, other, Form()))
        return scope.met[-1].result
    unify(left, right)
    return left


def _settle_scalars(scope: Scope) -> None:
    """What met a scalar before its own shape was known: a scalar, if their result is one.

    Where the result is larger it could be either, and its author must declare it.
    """
    # A result that meets another scalar stands later: backwards first, then what follows from it.
    for met in (*reversed(scope.met), *scope.met):
        try:
            if is_scalar(met.result):
                unify(met.scalar, met.other)
            elif met.other.root().sizes is not None:
                _defined(met.result, met.other)
        except CellError as error:
            fail(met.statement, str(error))


def _shorthand(scope: Scope, statement: Statement, node: ast.Call, row: Shorthand) -> Form | None:
    """The shape of what a row of `SHORTHANDS` gives."""
    text = one_line(segment(node, statement.text), 40)
    forms = [_form(scope, statement, argument) for argument in node.args]
    known = [form for form in forms if form is not None]
    if not known or (row.shape != "entries" and len(known) < len(forms)):
        raise CellError(f"`{text}`: {row.name} of a number; write the number that it gives")
    place = f"`{text}` in line {statement.line}"
    if row.shape == "entries":
        return _joint(scope, statement, forms[0], forms[1])
    if row.shape == "outer":
        return Form([as_vector(form, text, statement.line)[0] for form in known], place)
    if row.shape == "column":
        form = Form([as_vector(known[0], text, statement.line)[0], Size()], place)
        scope.columns.append((statement, form))
        return form
    if row.name == "logsumexp" or row.shape == "vector":
        as_vector(known[0], text, statement.line)
    for form in known[1:]:
        unify(known[0], form)
    return known[0] if row.shape == "vector" else Form([Size(sp.S.One, place)], place)


def _named(scope: Scope, name: str) -> Form:
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


def _product(scope: Scope, statement: Statement, node: ast.BinOp) -> Form:
    """A chain A @ B @ x is A @ (B @ x): the matrix product is associative."""
    text = one_line(segment(node, statement.text), 60)
    forms: list[Form | None] = []
    for factor in chain(node):
        if not isinstance(factor, ast.Attribute):
            forms.append(_form(scope, statement, factor))
            continue
        known = forms[-1].root().sizes if forms and forms[-1] is not None else None
        of = _form(scope, statement, factor.value)
        if known is not None and len(known) == 1 and of is not None and of.root().sizes is None:
            as_vector(of, text, statement.line)  # behind a column stands a row
        forms.append(_transposed(scope, statement, factor))
    *matrices, form = forms
    for matrix in reversed(matrices):
        if matrix is None or form is None:
            raise CellError(f"`{text}`: '@' between a number and something; use '*'")
        inner, *outer = right_of(form, text, statement.line)
        if outer and inner.root().value == 1 and is_column(matrix):
            rows, columns = as_vector(matrix, text, statement.line)[0], inner
        else:
            rows, columns = as_matrix(matrix, text, statement.line)
        same_size(columns, inner, text, matrix, form)
        form = Form([rows, *outer], f"`{text}` in line {statement.line}")
    assert form is not None
    return form


def _solved(scope: Scope, program: Program, name: str) -> Shape:
    form = scope.forms[name].root()
    sizes = [size.root().value for size in form.sizes or []]
    if not sizes or None in sizes:
        found = next(s for s in program.statements if name in (s.name, *names_in(s.value)))
        said = f"the shape of '{name}' does not follow from its use, found {form}"
        if any(met.other.root() is form for met in scope.met):
            said += " beside a scalar, so that it may be a scalar, too"
        fail(found, f"{said}; declare it: `parameter {name}[...]`")
    return tuple(sizes)
