"""The structural derivative of an expression along curves, with the proof that it is one.

It follows the expression node by node, without a simplification, so that the proof is one lemma of
the library for each node. What `derive.rules` says the differential is, is compared with it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from derive.backends.coq.functions import function_of
from derive.backends.coq.writing import Names, number, size, written
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
    OneMatrix,
    Transpose,
    add,
    coefficient,
    parts_of,
    stack,
    times,
)

__all__ = ["Curves", "Derivative", "halves", "slope_of"]


@dataclass(frozen=True)
class Derivative:
    """How an expression moves, and a term that proves it."""

    moved: str
    proof: str


def halves(expr: Expr) -> tuple[Expr, Expr]:
    """A sum or product of several, or a stack, as one of two: all but the last, and the last.

    A stack is the first piece and the others.
    """
    match expr:
        case MatAdd():
            return add(*expr.args[:-1]), expr.args[-1]
        case HadamardProduct():
            return times(*expr.args[:-1]), expr.args[-1]
    first, *others = parts_of(expr)
    return first, stack(tuple(others))


def slope_of(expr: Expr, names: Names) -> str:
    """The slope of a node that acts on each entry, at its argument."""
    match expr:
        case HadamardPower():
            base, exponent = written(expr.args[0], names), int(expr.args[1])
            return f"({exponent} .* (hpow {base} {exponent - 1}))"
        case LogSumExp():
            return f"(softmax {size(expr.argument.shape[0])} {written(expr.argument, names)})"
    return f"(mmap ({function_of(expr.name).slope}) {written(expr.argument, names)})"


@dataclass(frozen=True)
class Curves:
    """Derivatives along the curves of names.

    Attributes:
        names: the value of each name at the point.
        tangents: how each name moves.
        proofs: for each name, a term that proves it.
        smooth: a term that proves that the node being derived is away from kinks; '' if it is
            smooth everywhere.
    """

    names: Names
    tangents: Names
    proofs: Names
    smooth: str = ""

    def of(self, expr: Expr) -> Derivative | None:
        """How `expr` moves; None: not at all."""
        value, rest = coefficient(expr)
        if isinstance(rest, OneMatrix):
            return None
        if value != 1:
            inner = self.of(rest)
            return inner and Derivative(
                f"({number(value)} .* {inner.moved})", f"(D_scale _ _ _ _ _ _ {inner.proof})"
            )
        match expr:
            case MatrixSymbol():
                return Derivative(self.tangents[expr.name], self.proofs[expr.name])
            case MatAdd():
                return self._sum(expr)
            case HadamardProduct():
                left, right = halves(expr)
                return self._product("D_hprod", "*", left, right)
            case MatMul():
                left, right = expr.args
                return self._product("D_mul", f"*[{size(left.shape[1])}]", left, right)
            case HadamardPower():
                lemma = f"D_pow _ _ _ {int(expr.args[1])} _ _"
                return self._entrywise(expr, expr.args[0], lemma)
            case Apply():
                row = function_of(expr.name)
                given = f" ({self.smooth} i j Hi Hj)" if row.smooth else ""
                at = f"(fun i j Hi Hj => {row.lemma} _{given})"
                lemma = f"D_map _ _ {row.name} ({row.slope}) _ _ _ {at}"
                return self._entrywise(expr, expr.argument, lemma)
            case LogSumExp():
                return self._log_sum_exp(expr)
            case Transpose():
                inner = self.of(expr.args[0])
                return inner and Derivative(f"({inner.moved}^T)", f"(D_tr _ _ _ _ _ {inner.proof})")
            case BlockMatrix():
                return self._stack(expr)
        raise AssertionError(f"no derivative in Coq for {type(expr).__name__}")

    def _sum(self, expr: Expr) -> Derivative | None:
        left, right = map(self.of, halves(expr))
        if left is None or right is None:
            side, moved = ("l", left) if right is None else ("r", right)
            return moved and Derivative(moved.moved, f"(D_add_{side} _ _ _ _ _ _ {moved.proof})")
        proof = f"(D_add _ _ _ _ _ _ _ {left.proof} {right.proof})"
        return Derivative(f"({left.moved} + {right.moved})", proof)

    def _product(self, lemma: str, sign: str, left: Expr, right: Expr) -> Derivative | None:
        a, b = self.of(left), self.of(right)
        text: Callable[[Expr], str] = lambda e: written(e, self.names)
        blanks = " _" * (7 if lemma == "D_mul" else 6)
        if a is None:
            return b and Derivative(
                f"({text(left)} {sign} {b.moved})", f"({lemma}_r{blanks} {b.proof})"
            )
        if b is None:
            return Derivative(f"({a.moved} {sign} {text(right)})", f"({lemma}_l{blanks} {a.proof})")
        moved_text = f"({a.moved} {sign} {text(right)} + {text(left)} {sign} {b.moved})"
        return Derivative(moved_text, f"({lemma}{blanks} _ {a.proof} {b.proof})")

    def _entrywise(self, expr: Expr, argument: Expr, lemma: str) -> Derivative | None:
        inner = self.of(argument)
        return inner and Derivative(
            f"({inner.moved} * {slope_of(expr, self.names)})", f"({lemma} {inner.proof})"
        )

    def _log_sum_exp(self, expr: Expr) -> Derivative | None:
        inner, count = self.of(expr.argument), size(expr.argument.shape[0])
        return inner and Derivative(
            f"(mconst 1 *[{count}] ({inner.moved} * {slope_of(expr, self.names)}))",
            f"(D_lse _ {count} _ _ _ ({self.smooth}) {inner.proof})",
        )

    def _stack(self, expr: Expr) -> Derivative:
        pieces = halves(expr)
        still = Derivative("mzero", "(D_const _ _ _ _)")
        left, right = (self.of(piece) or still for piece in pieces)
        rows = size(pieces[0].shape[0])
        return Derivative(
            f"(mstack {rows} {left.moved} {right.moved})",
            f"(D_stack {rows} _ _ _ _ _ _ _ {left.proof} {right.proof})",
        )
