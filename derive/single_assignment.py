"""Cell -> single-assignment form: one operation that matters for each name.

Each right side becomes one of four: a primitive of a name; log-sum-exp of a name; a stack of names;
or a sum of matrix products of names (sums over entries are products with ones) and of elementwise
products of names, in which scalars may be spread. Arguments of primitives get names (a_f is
the pre-activation of f), so that slopes can be written in outputs. Equal values share one name.
"""

from dataclasses import dataclass, field

from derive.cell import Cell
from derive.expressions import (
    Apply,
    BlockMatrix,
    Expr,
    HadamardPower,
    HadamardProduct,
    LogSumExp,
    MatAdd,
    MatMul,
    MatrixSymbol,
    Name,
    OneMatrix,
    Transpose,
    add,
    apply,
    coefficient,
    column_of,
    log_sum_exp,
    matmul,
    parts_of,
    power,
    scale,
    spread,
    spread_of,
    stack,
    symbol,
    times,
    transpose,
)
from derive.language.names import EMITTED

__all__ = ["Assignment", "single_assignment"]


@dataclass(frozen=True)
class Assignment:
    """`name` = `value`; `equation` is the cell's equation that it comes from."""

    name: str
    value: Expr
    equation: str

    @property
    def symbol(self) -> Name:
        """The named result."""
        return symbol(self.name, self.value.shape)


def single_assignment(cell: Cell) -> tuple[Assignment, ...]:
    """The cell's equations as single assignments, in an order that can be computed."""
    variables = (*cell.inputs, *cell.states, *cell.parameters)
    taken = {v.name for v in variables} | {e.name for e in cell.equations} | EMITTED
    work = _Work(taken)
    for equation in cell.equations:
        work.equation = equation.name
        value = work.top(equation.value)
        work.done.append(Assignment(equation.name, value, equation.name))
        if not isinstance(value, MatrixSymbol):
            work.known.setdefault(value, work.done[-1].symbol)
    return tuple(work.done)


@dataclass
class _Work:
    taken: set[str]
    equation: str = ""
    done: list[Assignment] = field(default_factory=list)
    known: dict[Expr, Name] = field(default_factory=dict)

    def top(self, expr: Expr) -> Expr:
        """A whole right side."""
        number, _ = coefficient(expr)
        if number == 1 and isinstance(expr, Apply):
            return apply(expr.name, self.named(expr.argument, f"a_{self.equation}"))
        if number == 1 and isinstance(expr, LogSumExp):
            return log_sum_exp(self.named(expr.argument, f"a_{self.equation}"))
        if number == 1 and isinstance(expr, BlockMatrix):
            return stack(tuple(self.named(p, f"v_{self.equation}") for p in parts_of(expr)))
        return self.sum(expr)

    def sum(self, expr: Expr) -> Expr:
        """A sum, in which matrix products may stand."""
        terms = expr.args if isinstance(expr, MatAdd) else (expr,)
        return add(*(self.term(term) for term in terms))

    def term(self, expr: Expr) -> Expr:
        number, rest = coefficient(expr)
        if isinstance(rest, MatMul) and not _is_spread(rest):
            left = self.operand(rest.args[0], f"M_{self.equation}")
            return scale(number, matmul(left, self.operand(rest.args[1], f"v_{self.equation}")))
        return scale(number, self.factor(rest))

    def operand(self, expr: Expr, hint: str) -> Expr:
        """A side of a matrix product: a name, its transpose, or ones."""
        if isinstance(expr, OneMatrix):
            return expr
        if isinstance(expr, Transpose):
            return transpose(self.named(expr.args[0], hint))
        return self.named(expr, hint)

    def factor(self, expr: Expr) -> Expr:
        """Part of an elementwise product: names, sums and powers of names."""
        number, rest = coefficient(expr)
        if number != 1:
            return scale(number, self.factor(rest))
        scalar = spread_of(expr)
        if scalar is not None:
            return spread(self.named(scalar, f"s_{self.equation}"), expr.shape)
        column = column_of(expr)
        if column is not None:
            return matmul(self.named(column, f"s_{self.equation}"), expr.args[1])
        match expr:
            case HadamardProduct():
                return times(*(self.factor(arg) for arg in expr.args))
            case HadamardPower():
                return power(self.factor(expr.args[0]), int(expr.args[1]))
            case MatAdd() if not _has_product(expr):
                return add(*(self.factor(arg) for arg in expr.args))
            case Apply() | LogSumExp() | MatMul() | MatAdd() | BlockMatrix():
                return self.named(expr, self.hint(expr))
        return expr

    def hint(self, expr: Expr) -> str:
        if isinstance(expr, Apply):
            argument = expr.argument
            if isinstance(argument, MatrixSymbol):
                return f"{expr.name}_{argument.name}".replace("[t-1]", "_prev")
            return f"{expr.name}_{self.equation}"
        return f"v_{self.equation}" if isinstance(expr, BlockMatrix) else f"m_{self.equation}"

    def named(self, expr: Expr, hint: str) -> Name:
        """A name for the value of `expr`, introduced by an assignment if it has none."""
        if isinstance(expr, MatrixSymbol):
            return expr
        value = self.top(expr)
        if isinstance(value, MatrixSymbol):
            return value
        if value not in self.known:
            name, count = hint, 1
            while name in self.taken:
                count += 1
                name = f"{hint}_{count}"
            self.taken.add(name)
            self.done.append(Assignment(name, value, self.equation))
            self.known[value] = self.done[-1].symbol
        return self.known[value]


def _is_spread(expr: MatMul) -> bool:
    """Whether a product with ones only fills a shape with a scalar or a column."""
    return spread_of(expr) is not None or column_of(expr) is not None


def _has_product(expr: Expr) -> bool:
    """Whether a sum has a term that needs a name: a matrix product or a stack."""
    if isinstance(expr, Apply | LogSumExp | BlockMatrix | MatrixSymbol):
        return isinstance(expr, BlockMatrix)
    if isinstance(expr, MatMul) and expr.args[0].is_Matrix:
        return not _is_spread(expr)
    return any(_has_product(a) for a in expr.args if getattr(a, "is_Matrix", False))
