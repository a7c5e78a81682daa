"""Results under names that the contract does not know, where one that it nearly is is not given.

Other names are nobody's business: a layer may give the gradients of a readout beside its own.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from derive.errors import one_line
from verify.properties.calling import Failure, called
from verify.properties.changing import copied
from verify.properties.trial import Trial

__all__ = ["gradient_names", "state_names"]


def state_names(trial: Trial) -> Failure | None:
    """Forward gives no final state under another name."""
    e = copied(trial.example)
    names = [s.name for s in trial.cell.states]
    got = called(
        "forward", lambda: trial.kernel.forward(e.params, e.x, e.state_0, lengths=e.lengths)
    )
    found = got[1] if isinstance(got, tuple) and len(got) > 1 else None
    return _unknown("forward", "final state", found, names)


def gradient_names(trial: Trial) -> Failure | None:
    """Backward gives no gradient under another name."""
    e = copied(trial.example)
    cell, absent = trial.cell, set(trial.limits.absent)
    names = [v.name for v in (*cell.parameters, *cell.inputs) if v.name not in absent]
    names += [f"{s.name}_0" for s in cell.states]
    tape = trial.forward(e, copy=False).tape
    got = called("backward", lambda: trial.kernel.backward(e.params, tape, e.dy, e.dstate_T))
    return _unknown("backward", "gradient", got, names, absent)


def _unknown(
    call: str, what: str, got: Any, names: Iterable[str], more: Iterable[str] = ()
) -> Failure | None:
    if not isinstance(got, Mapping):
        return None
    missing = [n for n in names if got.get(n) is None]
    unknown = [str(n) for n in got if n not in {*names, *more} and got[n] is not None]
    meant = {_bare(n): n for n in missing}
    other = [n for n in unknown if _bare(n) in meant]
    if not other:
        return None
    missing = [meant[_bare(n)] for n in other]
    said = ", ".join(f"'{one_line(n, 40)}'" for n in other[:4])
    return Failure(
        missing[0],
        f"{call} gives {said}: no name of a {what}, and no {', '.join(missing[:4])} is given",
    )


def _bare(name: str) -> str:
    """What two spellings of a name have in common: 'dW_x', 'grad_Wx' and 'Wx'; 'h0' and 'h_0'."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return re.sub(r"^(?:gradient|grad|d)(?=.)|(?:prime|next|last|final|t)$", "", plain) or plain
