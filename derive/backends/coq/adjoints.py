"""One assignment's contributions to cotangents are the transpose of its differential: the proof.

`Transposed` walks down an expression as `derive.rules.pull` does and says at each node which lemma
of the library moves the node from the tangent to the cotangent. At the leaves stands what the
toolkit derived; where it is written otherwise than the lemmas leave it, both are compared entry by
entry.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from derive.backends.coq.curves import Curves, halves, slope_of
from derive.backends.coq.functions import function_of
from derive.backends.coq.writing import Names, number, piled, shape, size, written
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
    Transpose,
    coefficient,
)
from derive.rules import Contribution

__all__ = ["Step", "Transposed"]


@dataclass(frozen=True)
class Step:
    """`proof` shows that the inner product is `total`; `leaves` are its summands."""

    total: str
    leaves: tuple[str, ...]
    proof: str


@dataclass(frozen=True)
class Transposed:
    """The proof for one assignment.

    Attributes:
        curves: the structural differential.
        names: of values and cotangents.
        found: the toolkit's contributions, in the order of the walk.
        tactic: what compares two matrices entry by entry.
    """

    curves: Curves
    names: Names
    found: Iterator[Contribution]
    tactic: str

    def at(self, expr: Expr, arriving: str) -> Step:
        """`arriving` is the cotangent of `expr`, as Coq has it."""
        value, rest = coefficient(expr)
        if value != 1:
            return self._on(
                f"dot_scale {shape(expr)} {number(value)} {arriving} {self._moved(rest)}",
                rest,
                f"({number(value)} .* {arriving})",
            )
        match expr:
            case MatrixSymbol():
                return self._leaf(expr, arriving)
            case MatAdd():
                left, right = halves(expr)
                if self.curves.of(left) is None or self.curves.of(right) is None:
                    return self.at(left if self.curves.of(right) is None else right, arriving)
                lemma = f"dot_add {shape(expr)} {arriving} {self._moved(left)} {self._moved(right)}"
                return _both(lemma, self.at(left, arriving), self.at(right, arriving))
            case HadamardProduct():
                return self._hadamard(expr, arriving)
            case MatMul():
                return self._product(expr, arriving)
            case HadamardPower() | Apply():
                argument = expr.args[0] if isinstance(expr, HadamardPower) else expr.argument
                slope = slope_of(expr, self.curves.names)
                if isinstance(expr, Apply) and function_of(expr.name).slope == "fun _ => 0":
                    at = f"{shape(expr)} {arriving} {self._moved(argument)}"
                    inner = written(argument, self.curves.names)
                    return Step("0", (), f"(dot_flat {at} {inner})")
                return self._on(
                    f"dot_hprod_l {shape(expr)} {arriving} {self._moved(argument)} {slope}",
                    argument,
                    f"({arriving} * {slope})",
                )
            case LogSumExp():
                return self._log_sum_exp(expr, arriving)
            case Transpose():
                lemma = f"dot_tr {shape(expr)} {arriving} {self._moved(expr.args[0])}"
                return self._on(lemma, expr.args[0], f"({arriving}^T)")
            case BlockMatrix():
                return self._stack(expr, arriving)
        raise AssertionError(f"no adjoint in Coq for {type(expr).__name__}")

    def _moved(self, expr: Expr) -> str:
        found = self.curves.of(expr)
        return "mzero" if found is None else found.moved

    def _on(self, lemma: str, child: Expr, arriving: str) -> Step:
        """One lemma, then on at the child."""
        step = self.at(child, arriving)
        return Step(step.total, step.leaves, f"(eq_trans ({lemma}) {step.proof})")

    def _leaf(self, name: Expr, arriving: str) -> Step:
        """A name: what the lemmas left of the cotangent is what the toolkit derived."""
        contribution = next(self.found)
        assert contribution.leaf == name, f"{contribution.leaf} stands where {name} should"
        derived, tangent = written(contribution.value, self.names), self.curves.tangents[name.name]
        total = f"dot {shape(name)} {derived} {tangent}"
        proof = "eq_refl"
        if derived != arriving:
            same = f"ltac:({self.tactic})"
            proof = f"(dot_left {shape(name)} {arriving} {derived} {tangent} {same})"
        return Step(total, (total,), proof)

    def _hadamard(self, expr: Expr, arriving: str) -> Step:
        left, right = halves(expr)
        a, b = (written(half, self.curves.names) for half in (left, right))
        da, db = self._moved(left), self._moved(right)
        into = f"{shape(expr)} {arriving}"
        return self._sides(
            expr,
            arriving,
            _Side(left, f"({da} * {b})", f"dot_hprod_l {into} {da} {b}", f"({arriving} * {b})"),
            _Side(right, f"({a} * {db})", f"dot_hprod_r {into} {a} {db}", f"({arriving} * {a})"),
        )

    def _product(self, expr: Expr, arriving: str) -> Step:
        left, right = expr.args
        a, b = (written(half, self.curves.names) for half in (left, right))
        da, db = self._moved(left), self._moved(right)
        rows, columns, k = (size(d) for d in (*expr.shape, left.shape[1]))
        into = f"{rows} {columns} {k} {arriving}"
        return self._sides(
            expr,
            arriving,
            _Side(
                left,
                f"({da} *[{k}] {b})",
                f"dot_mul_l {into} {da} {b}",
                f"({arriving} *[{columns}] {b}^T)",
            ),
            _Side(
                right,
                f"({a} *[{k}] {db})",
                f"dot_mul_r {into} {a} {db}",
                f"({a}^T *[{rows}] {arriving})",
            ),
        )

    def _sides(self, expr: Expr, arriving: str, *sides: "_Side") -> Step:
        """A product: one term for each side that moves."""
        moving = [side for side in sides if self.curves.of(side.child) is not None]
        steps = [self._on(side.lemma, side.child, side.arriving) for side in moving]
        if len(steps) == 1:
            return steps[0]
        one, other = (side.moved for side in moving)
        return _both(f"dot_add {shape(expr)} {arriving} {one} {other}", *steps)

    def _log_sum_exp(self, expr: Expr, arriving: str) -> Step:
        column, slope = expr.argument, slope_of(expr, self.curves.names)
        count, moved = size(column.shape[0]), self._moved(column)
        spread = f"((mconst 1)^T *[1] {arriving})"
        lemma = (
            f"eq_trans (dot_mul_r 1 1 {count} {arriving} (mconst 1) ({moved} * {slope})) "
            f"(dot_hprod_l {count} 1 {spread} {moved} {slope})"
        )
        return self._on(lemma, column, f"({spread} * {slope})")

    def _stack(self, expr: Expr, arriving: str) -> Step:
        first, others = halves(expr)
        rows, rest = size(first.shape[0]), piled(others)
        lemma = f"dot_stack {rows} {rest} 1 {arriving} {self._moved(first)} {self._moved(others)}"
        steps = []
        for piece, start in ((first, "0"), (others, rows)):
            below = f"(mrows {start} {arriving})"
            if self.curves.of(piece) is None:
                steps.append(Step("0", (), f"(dot_zero {shape(piece)} {below})"))
            else:
                steps.append(self.at(piece, below))
        return _both(lemma, *steps)


@dataclass(frozen=True)
class _Side:
    """A factor of a product: its term of the differential, and what moves it to the cotangent."""

    child: Expr
    moved: str
    lemma: str
    arriving: str


def _both(lemma: str, one: Step, other: Step) -> Step:
    """A sum of two."""
    return Step(
        f"({one.total} + {other.total})",
        (*one.leaves, *other.leaves),
        f"(eq_trans ({lemma}) (f_equal2 Rplus {one.proof} {other.proof}))",
    )
