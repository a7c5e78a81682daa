"""Checked syntax and shapes -> Cell; SymPy matrix expressions -> Cell by the same checks."""

import re
from collections.abc import Iterable, Mapping

import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

from derive.cell import Cell, Equation, Variable, lag
from derive.errors import CellError, one_line
from derive.expressions import (
    Apply,
    BlockMatrix,
    Expr,
    LogSumExp,
    Name,
    OneMatrix,
    Shape,
    ZeroMatrix,
    add,
    apply,
    coefficient,
    log_sum_exp,
    matmul,
    power,
    scale,
    stack,
    symbol,
    times,
    transpose,
)
from derive.language.lags import with_carried_lags
from derive.language.names import check_name, label
from derive.language.numerals import is_readable
from derive.language.printing import text_of, text_of_expression
from derive.language.reading import MAX_BYTES, MAX_DECLARATIONS, Program, read
from derive.language.shapes import infer
from derive.language.values import value_of
from derive.primitives import PRIMITIVES

__all__ = ["build", "parse"]

_WORD = re.compile(r"[A-Za-z]\w*")


def parse(text: str | bytes, name: str = "cell") -> Cell:
    """Read a cell from its text.

    Args:
        text: the equations, as a paper writes them; bytes are read as UTF-8.
        name: what to call the cell; its file's stem, as a rule.

    Raises:
        CellError: one line with the place, what was found and what was expected.
    """
    try:
        program = with_carried_lags(read(text))
        cell = _cell(program, infer(program), name)
    except RecursionError:
        raise CellError("line 1: an expression nests too deep; give parts of it names") from None
    if len(text_of(cell)) > MAX_BYTES:
        raise CellError(
            f"line 1: printed with its shapes, the cell has more than {MAX_BYTES} bytes"
        )
    return cell


def _cell(program: Program, shapes: dict[str, Shape], name: str) -> Cell:
    kinds: dict[str, list[Variable]] = {"input": [], "state": [], "parameter": []}
    for declared in program.declarations:
        kinds[declared.kind].append(Variable(declared.name, shapes[declared.name]))
    parameters = shapes.keys() - {v.name for v in (*kinds["input"], *kinds["state"])}
    parameters -= {statement.name for statement in program.statements}
    if len(parameters) + len(kinds["input"]) + len(kinds["state"]) > MAX_DECLARATIONS:
        raise CellError(f"line 1: more than {MAX_DECLARATIONS} inputs, states and parameters")
    equations = tuple(Equation(s.name, value_of(s, shapes), s.line) for s in program.statements)
    return Cell(
        name=label(name),
        inputs=tuple(kinds["input"]),
        states=tuple(kinds["state"]),
        parameters=tuple(
            Variable(n, shapes[n]) for n in _words(e.value for e in equations) if n in parameters
        ),
        equations=equations,
        doc=program.doc,
    )


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
    values = {n: _converted(n, e) for n, e in equations.items()}
    shapes = {**inputs, **states, **{lag(s): shape for s, shape in states.items()}}
    shapes |= {n: _shape(e) for n, e in values.items() if n not in shapes}
    parameters = {}
    for value in values.values():
        matrices = {product.args[0] for product in value.atoms(sp.MatMul)}
        for leaf in sorted(value.atoms(sp.MatrixSymbol), key=str):
            if leaf.name not in shapes:
                shape = leaf.shape if leaf in matrices else _shape(leaf)
                shapes[leaf.name], parameters[leaf.name] = shape, Variable(leaf.name, shape)
            _check_shape(leaf, shapes[leaf.name])
    _check_words({*inputs, *states, *equations, *parameters}, shapes.values(), doc)
    for equation, value in values.items():
        _check_numbers(equation, value, shapes.values())
    draft = Cell(
        name=name,
        inputs=tuple(Variable(n, s) for n, s in inputs.items()),
        states=tuple(Variable(n, s) for n, s in states.items()),
        parameters=tuple(parameters[n] for n in _words(values.values()) if n in parameters),
        equations=tuple(Equation(n, e) for n, e in values.items()),
        doc=doc,
    )
    return parse(text_of(draft), name)


def _words(values: Iterable[Expr]) -> Iterable[str]:
    """What stands in the texts of expressions, in order of appearance, each word once."""
    return dict.fromkeys(word for e in values for word in _WORD.findall(text_of_expression(e)))


def _shape(expr: Expr) -> Shape:
    """A column is a vector unless something says otherwise."""
    return expr.shape if expr.shape[1] != 1 else expr.shape[:1]


def _check_shape(leaf: Name, shape: Shape) -> None:
    declared = symbol(leaf.name, shape).shape
    if [str(size) for size in leaf.shape] != [str(size) for size in declared]:
        raise CellError(
            f"line 1: symbol '{one_line(leaf.name, 40)}' has shape {one_line(str(leaf.shape))}, "
            f"expected {one_line(str(declared))}"
        )


def _check_numbers(equation: str, value: Expr, shapes: Iterable[Shape]) -> None:
    """A number is made of numbers and sizes: any other symbol is a name without a shape."""
    sizes = {str(s) for shape in shapes for size in shape for s in sp.sympify(size).free_symbols}
    for product in value.atoms(sp.MatMul):
        number = coefficient(product)[0]
        strange = sorted({str(s) for s in number.free_symbols} - sizes)
        if strange or not is_readable(number):
            what = f"symbol '{strange[0]}', no matrix" if strange else "a number without a text"
            raise CellError(
                f"line 1: equation of '{one_line(equation, 40)}': {one_line(what, 60)}; "
                f"{one_line(str(product), 60)} is not in the language"
            )


def _check_words(names: Iterable[str], shapes: Iterable[Shape], doc: str) -> None:
    """What becomes part of a text must not be able to say more than a name or a doc says."""
    sizes = {str(s) for shape in shapes for size in shape for s in sp.sympify(size).free_symbols}
    for name in sorted({*names, *sizes}):
        try:
            check_name(name)
        except CellError as error:
            raise CellError(f"line 1: {error}") from None
    if '"""' in doc or doc.endswith('"'):
        raise CellError("line 1: three quotes in the documentation, or one at its end; remove them")


def _converted(name: str, expr: Expr) -> Expr:
    try:
        return _plain(expr)
    except CellError as error:
        raise CellError(f"line 1: equation of '{one_line(name, 40)}': {error}") from None


def _plain(expr: Expr) -> Expr:
    """SymPy's own nodes rebuilt by our constructors."""
    if isinstance(expr, BlockMatrix):
        if expr.blockshape[1] != 1:
            raise CellError(f"{one_line(str(expr), 60)}: blocks side by side; stack columns only")
        return stack(tuple(_plain(row[0]) for row in expr.blocks.tolist()))
    args = [_plain(a) for a in expr.args if getattr(a, "is_Matrix", False)]
    match expr:
        case sp.MatrixSymbol() | OneMatrix() | ZeroMatrix():
            return expr
        case ElementwiseApplyFunction():
            return apply(_primitive(expr), _plain(expr.expr))
        case Apply():
            return apply(expr.name, args[0])
        case LogSumExp():
            return log_sum_exp(args[0])
        case sp.MatAdd():
            return add(*args)
        case sp.HadamardProduct():
            return times(*args)
        case sp.HadamardPower() if expr.args[1].is_Integer and expr.args[1] > 0:
            return power(args[0], int(expr.args[1]))
        case sp.Transpose():
            return transpose(args[0])
        case sp.MatMul() if args:
            number = sp.nsimplify(sp.Mul(*(a for a in expr.args if not a.is_Matrix)), rational=True)
            if not number.has(sp.Float):
                *lefts, product = args
                for left in reversed(lefts):
                    product = matmul(left, product)
                return scale(number, product)
    raise CellError(f"{one_line(str(expr), 60)} ({type(expr).__name__}) is not in the language")


def _primitive(expr: ElementwiseApplyFunction) -> str:
    body, argument = expr.function.expr, expr.function.variables[0]
    for row in PRIMITIVES.values():
        if body in (sp.Function(row.name)(argument), row.value(argument)):
            return row.name
    known = ", ".join(PRIMITIVES)
    raise CellError(f"function {one_line(str(body), 40)}; the functions are {known}")
