"""Backward that does not follow what forward computes."""

from collections.abc import Callable
from dataclasses import replace

from derive.evaluate import Sizes
from derive.expressions import Apply, Expr
from verify.deviations.model import Model, Steps
from verify.deviations.programs import program
from verify.recurrence import Field

__all__ = ["stored", "unaware"]


def unaware(model: Model) -> Model:
    """The model with the backward of its cell, whatever forward computes.

    What that reads and forward has not kept, it computes from what forward kept.
    """
    return _following(model, lambda value: value)


def stored(model: Model) -> Model:
    """The same, but where forward has left out a function, its argument is what was kept."""
    return _following(model, lambda value: value.argument if isinstance(value, Apply) else value)


def _following(model: Model, kept: Callable[[Expr], Expr]) -> Model:
    right = Model.right(model.cell)

    def keep(field: Field, known: Steps, sizes: Sizes) -> Steps:
        found = []
        for step in known:
            step = dict(step)
            for a in right.forward:
                if a.name not in step:
                    step[a.name] = program(kept(a.value))(step, sizes, field)
            found.append(step)
        return found

    return replace(model, formulas=right.derived, tape=(*model.tape, keep))
