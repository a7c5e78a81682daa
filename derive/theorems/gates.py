"""Gates and the output: in which intervals they lie."""

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

from derive.expressions import Apply, Expr, HadamardProduct, Name, times
from derive.gradients import Gradients
from derive.jacobians import writer_of
from derive.ranges import Interval, Ranges
from derive.theorems.memory import has_path
from derive.theorems.row import Bound
from derive.theorems.saying import magnitude, number, of_step, tex_name

__all__ = ["gates", "gates_in_range", "no_bare_output", "output_in_range"]

_OPENING = ("sigmoid", "relu", "exp", "softplus", "heaviside")  # none is negative


def gates(gradients: Gradients) -> list[Name]:
    """Activations, none negative, that multiply something other than a value in 0 .. 1."""
    ranges, states = Ranges(gradients), {s.name for s in gradients.cell.states}
    values = {a.name: a.value for a in gradients.forward}
    own = {e.name for e in gradients.cell.equations}
    found: dict[Name, None] = {}
    for product in _products(gradients):
        for place, factor in enumerate(product.args):
            others = times(*(a for k, a in enumerate(product.args) if k != place))
            for name in sorted(factor.atoms(type(product.args[0])) & _symbols(gradients), key=str):
                value = values[name.name]
                if not isinstance(value, Apply) or name.name in states:
                    continue
                named = name.name in own or value.name == "sigmoid"
                if not named or value.name not in _OPENING or (factor != name and _deep(factor)):
                    continue
                if not ranges.range(ranges.polynomial(others)).within(0, 1):
                    found[name] = None
    return [a.symbol for a in gradients.forward if a.symbol in found]


def _symbols(gradients: Gradients) -> set[Expr]:
    return {a.symbol for a in gradients.forward}


def _deep(factor: Expr) -> bool:
    """Whether a factor is more than a name, or a sum of names and numbers."""
    return any(isinstance(node, HadamardProduct | Apply) for node in (factor, *factor.args))


def _products(gradients: Gradients) -> Iterator[Expr]:
    for assignment in gradients.forward:
        yield from assignment.value.atoms(HadamardProduct)


@lru_cache(maxsize=4)
def gates_in_range(gradients: Gradients) -> list[Bound]:
    """Each gate lies in (0, 1), or in [0, 1] where that is all that can be said."""
    writer, ranges, found = writer_of(gradients), Ranges(gradients), []
    for gate in gates(gradients):
        interval = ranges.of(gate.name)
        inside = interval.within(0, 1)
        shown = interval if inside else Interval(Fraction(0), Fraction(1), False, False)
        one, nil = number(1, gate.shape), number(0, gate.shape)
        found.append(
            Bound(
                text=f"{of_step(writer, gate.name)} in {shown}",
                latex=rf"{tex_name(writer, gate.name)} \in {shown}",
                sides=((gate, one), (nil, gate)),
                reasons=(f"the values of its function are {interval}",) if inside else (),
                excess=f"{of_step(writer, gate.name)} - 1",
            )
        )
    return found


def no_bare_output(gradients: Gradients) -> str:
    """Why `output_in_range` does not apply, or ''."""
    keeps = has_path(gradients, gradients.cell.output)
    return "the output keeps its own lag: see 'convex combination'" if keeps else ""


def output_in_range(gradients: Gradients) -> list[Bound]:
    """|h_t| < 1 for t >= 1."""
    writer, output = writer_of(gradients), gradients.cell.output
    interval = Ranges(gradients).of(output.name)
    text, tex = of_step(writer, output.name), tex_name(writer, output.name)
    proved = interval.within(-1, 1, strict=True)
    return [
        Bound(
            text=f"|{text}| < 1, for t >= 1",
            latex=rf"\lvert {tex} \rvert < 1",
            sides=((magnitude(output.now), number(1, output.now.shape)),),
            reasons=(f"{text} in {interval}, at the corners of its factors' intervals",)
            if proved
            else (),
            excess=f"|{text}| - 1",
        )
    ]
