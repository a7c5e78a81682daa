"""Checked syntax and shapes -> Cell; SymPy matrix expressions -> Cell by the same checks."""

import ast
from collections.abc import Iterable, Mapping

import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

from derive.cell import Cell, Equation, Variable, lag
from derive.errors import CellError, one_line
from derive.expressions import (
    BlockMatrix,
    Expr,
    Shape,
    add,
    apply,
    constant,
    matmul,
    power,
    scale,
    stack,
    symbol,
    times,
    transpose,
)
from derive.language.printing import text_of
from derive.language.reading import Program, number, read
from derive.language.shapes import infer
from derive.primitives import PRIMITIVES

__all__ = ["build", "parse"]


def parse(text: str | bytes, name: str = "cell") -> Cell:
    """Read a cell from its text.

    Args:
        text: the equations, as a paper writes them; bytes are read as UTF-8.
        name: what to call the cell; its file's stem, as a rule.

    Raises:
        CellError: one line with the place, what was found and what was expected.
    """
    program = read(text)
    shapes = infer(program)
    try:
        return _cell(program, shapes, name)
    except RecursionError:
        raise CellError("line 1: an expression nests too deep") from None


def _cell(program: Program, shapes: dict[str, Shape], name: str) -> Cell:
    declared = {kind: [d for d in program.declarations if d.kind == kind] for kind in _KINDS}
    fixed = {d.name for kind in ("input", "state") for d in declared[kind]}
    fixed |= {s.name for s in program.statements}
    inputs, states = (
        tuple(Variable(d.name, shapes[d.name]) for d in declared[k]) for k in ("input", "state")
    )
    first = [d.name for d in declared["parameter"]]
    rest = [n for n in shapes if n not in fixed and n not in first]
    order = [n for n in _appearance(program) if n in {*first, *rest}]
    return Cell(
        name=name,
        inputs=inputs,
        states=states,
        parameters=tuple(Variable(n, shapes[n]) for n in order),
        equations=tuple(
            Equation(s.name, _shaped(_expression(s.value, shapes), shapes[s.name]), s.line)
            for s in program.statements
        ),
        doc=program.doc,
    )


_KINDS = ("input", "state", "parameter")


def _appearance(program: Program) -> Iterable[str]:
    found: dict[str, None] = {}
    for statement in program.statements:
        names = [n for n in ast.walk(statement.value) if isinstance(n, ast.Name)]
        names.sort(key=lambda n: (n.lineno, n.col_offset))
        found.update(dict.fromkeys(n.id for n in names))
    return found


def _expression(node: ast.expr, shapes: Mapping[str, Shape]) -> Expr | sp.Rational:
    """A checked tree as a matrix expression; a number stays a number until it meets a shape."""
    match node:
        case ast.Constant():
            return sp.Rational(str(number(node)))
        case ast.Name():
            return symbol(node.id, shapes[node.id])
        case ast.Subscript(value=ast.Name(id=name)):
            back = ast.unparse(node.slice) != "t"
            return symbol(lag(name) if back else name, shapes[name])
        case ast.Attribute(value=ast.Name(id=name)):
            return transpose(symbol(name, shapes[name]))
        case ast.List():
            return stack(tuple(_expression(element, shapes) for element in node.elts))
        case ast.UnaryOp():
            inner = _expression(node.operand, shapes)
            return _scaled(sp.S.NegativeOne, inner) if isinstance(node.op, ast.USub) else inner
        case ast.Call(func=ast.Name(id=name)):
            inner = _expression(node.args[0], shapes)
            if not inner.is_Matrix:
                raise CellError(f"line 1: {name} of a number alone; write the number it gives")
            return apply(name, inner)
        case ast.BinOp(op=ast.Pow()):
            base, exponent = _expression(node.left, shapes), int(str(number(node.right)))
            return power(base, exponent) if base.is_Matrix else base**exponent
        case ast.BinOp():
            left, right = _expression(node.left, shapes), _expression(node.right, shapes)
            return _combined(node.op, left, right)
    raise CellError(f"line 1: '{type(node).__name__}' is not in the language")


def _combined(op: ast.operator, left: Expr, right: Expr) -> Expr | sp.Rational:
    match op:
        case ast.Add():
            return _sum(left, right)
        case ast.Sub():
            return _sum(left, _scaled(sp.S.NegativeOne, right))
        case ast.Div():
            return _scaled(1 / right, left)
        case ast.MatMult():
            return matmul(left, right)
        case _:
            if left.is_Matrix and right.is_Matrix:
                return times(left, right)
            return _scaled(right, left) if left.is_Matrix else _scaled(left, right)


def _scaled(value: sp.Rational, expr: Expr | sp.Rational) -> Expr | sp.Rational:
    return scale(value, expr) if expr.is_Matrix else value * expr


def _sum(left: Expr | sp.Rational, right: Expr | sp.Rational) -> Expr | sp.Rational:
    if not left.is_Matrix and not right.is_Matrix:
        return left + right
    shape = left.shape if left.is_Matrix else right.shape
    return add(_shaped(left, shape), _shaped(right, shape))


def _shaped(value: Expr | sp.Rational, shape: Shape) -> Expr:
    rows_columns = shape if len(shape) == 2 else (*shape, sp.S.One)
    return value if value.is_Matrix else constant(value, rows_columns)


def build(
    name: str,
    inputs: Mapping[str, Shape],
    states: Mapping[str, Shape],
    equations: Mapping[str, Expr],
    doc: str = "",
) -> Cell:
    """A cell from SymPy matrix expressions: MatrixSymbol, +, matrix and Hadamard products,
    `.applyfunc(f)` with f a function of `PRIMITIVES`, BlockMatrix columns.

    Args:
        inputs, states: shapes by name, (n,) each; the first state is the output.
        equations: right sides by name, in single-assignment order. The symbol named 'h[t-1]'
            (see `derive.lag`) is h one step back. Names that nothing defines are parameters.

    Raises:
        CellError: as for text; the expressions go through the same checks.
    """
    parameters: dict[str, Variable] = {}
    known = {*inputs, *states, *equations, *(lag(s) for s in states)}
    values = {n: _plain(e) for n, e in equations.items()}
    for value in values.values():
        for leaf in sorted(value.atoms(sp.MatrixSymbol), key=str):
            if leaf.name not in known:
                shape = leaf.shape if leaf.shape[1] != 1 else leaf.shape[:1]
                parameters.setdefault(leaf.name, Variable(leaf.name, shape))
    draft = Cell(
        name=name,
        inputs=tuple(Variable(n, s) for n, s in inputs.items()),
        states=tuple(Variable(n, s) for n, s in states.items()),
        parameters=tuple(parameters.values()),
        equations=tuple(Equation(n, e) for n, e in values.items()),
        doc=doc,
    )
    return parse(text_of(draft), name)


def _plain(expr: Expr) -> Expr:
    """SymPy's own nodes rebuilt by our constructors."""
    if isinstance(expr, ElementwiseApplyFunction):
        return apply(_primitive(expr), _plain(expr.expr))
    if isinstance(expr, sp.MatrixSymbol) or not expr.args:
        return expr
    if isinstance(expr, BlockMatrix):
        return stack(tuple(_plain(row[0]) for row in expr.blocks.tolist()))
    args = [_plain(a) if getattr(a, "is_Matrix", False) else a for a in expr.args]
    match expr:
        case sp.MatAdd():
            return add(*args)
        case sp.HadamardProduct():
            return times(*args)
        case sp.Transpose():
            return transpose(args[0])
        case sp.MatMul():
            scalars = [a for a in args if not a.is_Matrix]
            matrices = [a for a in args if a.is_Matrix]
            product = matrices[-1]
            for left in reversed(matrices[:-1]):
                product = matmul(left, product)
            return scale(sp.Mul(*scalars), product)
        case _:
            return expr.func(*args)


def _primitive(expr: ElementwiseApplyFunction) -> str:
    body, argument = expr.function.expr, expr.function.variables[0]
    for row in PRIMITIVES.values():
        if body in (sp.Function(row.name)(argument), row.value(argument)):
            return row.name
    known = ", ".join(PRIMITIVES)
    raise CellError(f"line 1: function {one_line(str(body), 40)}; the functions are {known}")
