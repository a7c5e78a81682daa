"""Claims about cells, as rows. None of them names a cell: each finds in the equations what it is
about, or says why it does not apply. `derive.proofs` settles them.

Words: a *memory* is a state that is not the output and whose equation names its own lag in a sum,
elementwise: s_t = k * s_{t-1} + ...; k is its *path factor*. *Direct* derivatives hold the other
states of step t-1 fixed; *total* ones follow every path.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from derive.cell import Cell, Variable
from derive.differentials import (
    Writer,
    activated,
    additive,
    differential,
    earlier,
    is_diagonal,
    is_zero,
    ones,
    tangent,
)
from derive.expressions import (
    Apply,
    Expr,
    MatrixSymbol,
    Name,
    add,
    matmul,
    scale,
    times,
    transpose,
)
from derive.gradients import Gradients
from derive.rules import slope
from derive.schedule.terms import Product, read_sum
from derive.transposes import lost_term, reverse_sweep

__all__ = ["THEOREMS", "Identity", "MustFail", "Theorem"]


@dataclass(frozen=True)
class Identity:
    """left = right for all values of everything.

    Attributes:
        direction: the tangent that both sides are linear in; None if they are linear in many.
        text, latex: the identity as a person should read it.
        steps: how many time steps its names span; the last one is step t.
        moved: which states of an earlier step move, and how: what the left side is the derivative
            along. A counterexample recomputes it by a complex step through the cell's equations.
            Empty if the left side is no such derivative.
        of: the state at step t whose change the left side is.
    """

    text: str
    latex: str
    left: Expr
    right: Expr
    direction: Name | None
    steps: int = 1
    moved: tuple[tuple[Name, Expr], ...] = ()
    of: str = ""


Statement = Callable[[Gradients], list[Identity]]


@dataclass(frozen=True)
class MustFail:
    """A case in which a claim is false: a cell (by name or text), perhaps with a spoilt sweep."""

    cell: str
    spoil: Callable[[Gradients], Gradients] = field(default=lambda gradients: gradients)


@dataclass(frozen=True)
class Theorem:
    """One claim.

    Attributes:
        claim: what is claimed, in general.
        absent: why it does not apply to a cell, or ''.
        identities: what must hold for it to be true of a cell.
        induction: how a claim over T steps follows from the identities, or ''.
        must_fail: a case in which it is false; a test sees it fail.
        should_hold: False for a misreading that is shown in order to be refuted.
    """

    name: str
    claim: str
    absent: Callable[[Gradients], str]
    identities: Statement
    hypotheses: str
    source: str
    must_fail: MustFail
    induction: str = ""
    should_hold: bool = True


def _others(cell: Cell, state: Variable) -> list[Variable]:
    return [s for s in cell.states if s.name != state.name]


def _has_path(gradients: Gradients, state: Variable) -> bool:
    """Whether s_t = k * s_{t-1} + ... with k a vector."""
    direction = tangent(state.before)
    own = additive(gradients, state, direction)
    return not is_zero(own) and is_diagonal(own, direction)


def _memories(gradients: Gradients) -> list[Variable]:
    states = gradients.cell.states
    return [s for s in states[1:] if _has_path(gradients, s)]


def _factor(gradients: Gradients, state: Variable) -> Expr:
    return additive(gradients, state, ones(state.before))


def _no_memory(gradients: Gradients) -> str:
    return "" if _memories(gradients) else "no state beside the output is a memory"


def _frac(writer: Writer, state: Variable, back: str = "t-1") -> tuple[str, str]:
    text = f"d{state.name}_t/d{state.name}_{{{back}}}"
    now, before = writer.notation.name(state.name), writer.notation.name(state.before.name)
    before = before.replace("t-1", back)
    return text, rf"\frac{{\partial {now}}}{{\partial {before}}}"


# The path of a memory.


def _path(gradients: Gradients) -> list[Identity]:
    writer, found = Writer(gradients), []
    for state in _memories(gradients):
        d = tangent(state.before)
        right = times(_factor(gradients, state), d)
        text, latex = _frac(writer, state)
        found.append(
            Identity(
                text=f"{text} = {writer.jacobian(right, d)}, direct",
                latex=rf"{latex}\Big|_{{\mathrm{{direct}}}} = {writer.jacobian_tex(right, d)}",
                left=differential(gradients, state.now, {state.before: d}),
                right=right,
                direction=d,
                moved=((state.before, d),),
                of=state.name,
            )
        )
    return found


def _path_product(gradients: Gradients) -> list[Identity]:
    writer, found = Writer(gradients), []
    for state in _memories(gradients):
        name, k = state.name, _factor(gradients, state)
        d = tangent(MatrixSymbol(f"{name}[0]", *state.now.shape))
        so_far = MatrixSymbol("P[t-1]", *state.now.shape)
        factor, tex = writer.text(k), writer.notation.tex(k)
        found.append(
            Identity(
                text=f"d{name}_T/d{name}_0 = diag(product over t = 1..T of ({factor}))",
                latex=rf"\frac{{\partial {name}_{{T}}}}{{\partial {name}_{{0}}}} = "
                rf"\operatorname{{diag}}\Bigl(\prod_{{t=1}}^{{T}} {tex}\Bigr)",
                left=differential(gradients, state.now, {state.before: times(so_far, d)}),
                right=times(k, so_far, d),
                direction=d,
                moved=((state.before, times(so_far, d)),),
                of=name,
            )
        )
    return found


# Every path of a memory over one step.


def _within(gradients: Gradients, state: Variable, other: Variable, own: bool) -> Expr:
    """How another state moves in the same step when `state` moves; `own`: by its equation alone."""
    of = {a.name: a.equation for a in gradients.forward}
    return differential(
        gradients,
        other.now,
        {state.now: tangent(state.now)},
        through=(lambda name: of[name] == other.name) if own else (lambda name: True),
    )


def _arriving(gradients: Gradients, state: Variable, own: bool = False) -> dict[Name, Expr]:
    """How all states of step t-1 move when `state` does."""
    timeless = {p.name for p in gradients.cell.parameters}
    moving: dict[Name, Expr] = {state.before: tangent(state.before)}
    for other in _others(gradients.cell, state):
        moved = earlier(_within(gradients, state, other, own), timeless)
        if not is_zero(moved):
            moving[other.before] = moved
    return moving


def _exposed(gradients: Gradients) -> list[Variable]:
    """Memories that another state shows to the next step."""
    return [s for s in _memories(gradients) if len(_arriving(gradients, s)) > 1]


def _total(gradients: Gradients) -> list[Identity]:
    writer, found = Writer(gradients), []
    for state in _exposed(gradients):
        d = tangent(state.before)
        shown = _arriving(gradients, state, own=True)
        right = [times(_factor(gradients, state), d)]
        text, latex = _frac(writer, state)
        where: list[str] = []
        texts = [writer.jacobian(right[0], d)]
        texs = [writer.jacobian_tex(right[0], d)]
        for name, moved in shown.items():
            if name == state.before:
                continue
            right.append(differential(gradients, state.now, {name: moved}))
            before, tex = writer.name(name.name), writer.notation.name(name.name)
            now = writer.notation.name(state.name)
            texts.append(f"(d{state.name}_t/d{before}) {writer.jacobian(moved, d)}")
            partial = rf"\frac{{\partial {now}}}{{\partial {tex}}}"
            texs.append(rf"{partial}\,{writer.jacobian_tex(moved, d)}")
            step = differential(gradients, state.now, {name: tangent(name)})
            where.append(f"d{state.name}_t/d{before} = {writer.jacobian(step, tangent(name))}")
        found.append(
            Identity(
                text=f"{text} = {' + '.join(texts)}, total, where {'; '.join(where)}",
                latex=rf"{latex}\Big|_{{\mathrm{{total}}}} = {' + '.join(texs)}",
                left=differential(gradients, state.now, _arriving(gradients, state)),
                right=add(*right),
                direction=d,
                steps=2,
                moved=tuple(_arriving(gradients, state).items()),
                of=state.name,
            )
        )
    return found


def _total_is_path(gradients: Gradients) -> list[Identity]:
    writer, found = Writer(gradients), []
    for state in _exposed(gradients):
        d = tangent(state.before)
        right = times(_factor(gradients, state), d)
        text, latex = _frac(writer, state)
        found.append(
            Identity(
                text=f"{text} = {writer.jacobian(right, d)}, total",
                latex=rf"{latex}\Big|_{{\mathrm{{total}}}} = {writer.jacobian_tex(right, d)}",
                left=differential(gradients, state.now, _arriving(gradients, state)),
                right=right,
                direction=d,
                steps=2,
                moved=tuple(_arriving(gradients, state).items()),
                of=state.name,
            )
        )
    return found


def _totals_multiply(gradients: Gradients) -> list[Identity]:
    writer, cell, found = Writer(gradients), gradients.cell, []
    timeless = {p.name for p in cell.parameters}
    exposed = _exposed(gradients)
    for state in [s for s in cell.states if s in exposed or len(cell.states) == 1]:
        arriving = _arriving(gradients, state)
        start = {earlier(n, timeless): earlier(e, timeless) for n, e in arriving.items()}
        moved = {
            s.before: earlier(differential(gradients, s.now, arriving), timeless)
            for s in cell.states
        }
        once = {tangent(state.before): moved[state.before]}
        again = {n: e.xreplace(once) for n, e in arriving.items()}
        text, latex = _frac(writer, state, "t-2")
        one, one_tex = _frac(writer, state)
        found.append(
            Identity(
                text=f"{text} = {one} times the same one step earlier, total",
                latex=rf"{latex}\Big|_{{\mathrm{{total}}}} = {one_tex}\Big|_{{\mathrm{{total}}}}"
                r"\text{ times the same one step earlier}",
                left=differential(gradients, state.now, moved),
                right=differential(gradients, state.now, again),
                direction=earlier(tangent(state.before), timeless),
                steps=3,
                moved=tuple(start.items()),
                of=state.name,
            )
        )
    return found


# The output's own path, and plain recurrences.


def _output_path(gradients: Gradients) -> list[Identity]:
    writer, state = Writer(gradients), gradients.cell.output
    d, held = tangent(state.before), activated(gradients)
    right = times(_factor(gradients, state), d)
    text, latex = _frac(writer, state)
    return [
        Identity(
            text=f"{text} = {writer.jacobian(right, d)}, gates and candidates held fixed",
            latex=rf"{latex}\Big|_{{\mathrm{{gates\ fixed}}}} = {writer.jacobian_tex(right, d)}",
            left=differential(
                gradients, state.now, {state.before: d}, through=lambda name: name not in held
            ),
            right=right,
            direction=d,
        )
    ]


def _no_output_path(gradients: Gradients) -> str:
    found = _has_path(gradients, gradients.cell.output)
    return "" if found else "the output's equation does not name its own lag in a sum, elementwise"


def _recurrence(gradients: Gradients, state: Variable) -> tuple[Apply, list[Product]] | None:
    """(activation, recurrent products) of a state that is an activation of a sum of products."""
    values = {a.name: a.value for a in gradients.forward}
    value = values[state.name]
    if not isinstance(value, Apply) or value.argument.name not in values:
        return None
    products = read_sum(values[value.argument.name]).products
    own = [p for p in products if p.source == state.before]
    return (value, own) if own else None


def _elman(gradients: Gradients) -> list[Identity]:
    writer, found = Writer(gradients), []
    for state in gradients.cell.states:
        recurrence = _recurrence(gradients, state)
        if recurrence is None:
            continue
        value, products = recurrence
        d = tangent(state.before)
        gains = [matmul(_matrix(p), d) for p in products]
        right = times(slope(value.name, value.argument, state.now), add(*gains))
        text, latex = _frac(writer, state)
        found.append(
            Identity(
                text=f"{text} = {writer.jacobian(right, d)}",
                latex=f"{latex} = {writer.jacobian_tex(right, d)}",
                left=differential(gradients, state.now, {state.before: d}),
                right=right,
                direction=d,
                moved=((state.before, d),),
                of=state.name,
            )
        )
    return found


def _matrix(product: Product) -> Expr:
    matrix = product.matrix
    whole = transpose(matrix.parameter) if matrix.turned else matrix.parameter
    return scale(matrix.number, whole)


def _unless(statement: Statement, reason: str) -> Callable[[Gradients], str]:
    return lambda gradients: "" if statement(gradients) else reason


def _sweep(gradients: Gradients) -> list[Identity]:
    left, right = reverse_sweep(gradients)
    text = "dL/d(parameters, inputs, initial states) = the sums of the reverse sweep, for any T"
    latex = (
        r"\sum_{v}\langle \bar v_t, \mathrm{d}v_t\rangle = \sum_{u}\langle \bar u_t - "
        r"\text{upstream}, \mathrm{d}u_t\rangle"
    )
    return [Identity(text, latex, left, right, None)]


THEOREMS: tuple[Theorem, ...] = (
    Theorem(
        name="gradients",
        claim="the reverse sweep gives the gradient of the loss, for every parameter, input and "
        "initial state, for any T",
        absent=lambda gradients: "",
        identities=_sweep,
        hypotheses="all tangents dv and cotangents bar(v) are independent; slopes as in the table "
        "of primitives, each checked against its function",
        source="Linnainmaa (1976), doi:10.1007/BF01931367; Werbos (1990), doi:10.1109/5.58337",
        must_fail=MustFail("lstm", lost_term),
        induction="adding the identities of steps 1..T, carries cancel, and the rest is dL",
    ),
    Theorem(
        name="path",
        claim="the direct derivative of a memory by its own lag is its path factor, diagonal",
        absent=_no_memory,
        identities=_path,
        hypotheses="the other states of step t-1 (the hidden trajectory) are held fixed",
        source="Hochreiter & Schmidhuber (1997), sec. 3; Gers, Schmidhuber & Cummins (2000)",
        must_fail=MustFail("peephole_lstm"),
    ),
    Theorem(
        name="path over T steps",
        claim="over T steps the direct derivative of a memory is the product of its path factors",
        absent=_no_memory,
        identities=_path_product,
        hypotheses="the whole trajectory of the other states is held fixed: this is the derivative "
        "along the memory's path, not the total derivative",
        source="Gers, Schmidhuber & Cummins (2000)",
        must_fail=MustFail("peephole_lstm"),
        induction="T = 0 is the identity; the step multiplies the product P of the first t-1 "
        "factors by the t-th",
    ),
    Theorem(
        name="total derivative",
        claim="the total one-step derivative of a memory is its path factor, plus what goes through "
        "the states that show it, each by its own equation",
        absent=_unless(_exposed, "no memory is shown by another state that the step reads"),
        identities=_total,
        hypotheses="one step; what the memory shows at t-1 is followed, everything else of step "
        "t-1 is held fixed; dC_t/dh_{t-1} itself has all its paths",
        source="derived here",
        must_fail=MustFail("peephole_lstm"),
    ),
    Theorem(
        name="total derivative is the path",
        claim="the total one-step derivative of a memory is its path factor alone",
        absent=_unless(_exposed, "no memory is shown by another state that the step reads"),
        identities=_total_is_path,
        hypotheses="none: this is a misreading of 'path'; gates read the hidden state, which shows "
        "the memory",
        source="a common misreading",
        must_fail=MustFail("lstm"),
        should_hold=False,
    ),
    Theorem(
        name="total derivatives multiply",
        claim="one-step total derivatives of one state may be multiplied over steps",
        absent=_unless(_totals_multiply, "no memory is shown, and there are several states"),
        identities=_totals_multiply,
        hypotheses="none: with several states this is a misreading; what shows the memory at t-1 "
        "depends on the other states of t-2 too, so only the Jacobian of all states multiplies",
        source="a common misreading",
        must_fail=MustFail("lstm"),
        should_hold=False,
    ),
    Theorem(
        name="recurrent Jacobian",
        claim="the derivative of an activated state is its slope times its recurrent matrix",
        absent=_unless(_elman, "no state is an activation of a product with its own lag"),
        identities=_elman,
        hypotheses="the other states of step t-1 are held fixed",
        source="Elman (1990); Pascanu, Mikolov & Bengio (2013), arXiv:1211.5063, sec. 2",
        must_fail=MustFail(
            "input x[m]\nstate h[n]\ng = sigmoid(V @ h[t-1])\nh = tanh(W @ x + U @ h[t-1] + p * g)"
        ),
    ),
    Theorem(
        name="output path",
        claim="with gates and candidates held fixed, the output keeps its lag by its path factor",
        absent=_no_output_path,
        identities=_output_path,
        hypotheses="every gate and candidate, which read h_{t-1} as well, is held fixed: this is "
        "the additive path, not the derivative of the step",
        source="Cho et al. (2014), arXiv:1406.1078",
        must_fail=MustFail(
            "input x[m]\nstate h[n]\nz = sigmoid(W @ x)\np = U @ h[t-1]\nh = z * h[t-1] + p"
        ),
    ),
)
