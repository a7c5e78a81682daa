"""What node tests find in runtimes, as Markdown: a table of all settings, and smallest cases."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verify.kernels import Array
from verify.vectors.node_rows import SETTINGS, Case, Setting, cases
from verify.vectors.node_runs import Outcome, Runtime, outcome, smallest
from verify.vectors.node_values import NodeValues, node_values

__all__ = ["Found", "markdown", "run_all"]

VERDICTS = ("agrees", "differs", "refused")
WIDTH = {"float32": "", "float64": ", float64"}


@dataclass(frozen=True)
class Found:
    """What became of one case in one runtime."""

    case: Case
    runtime: Runtime
    outcome: Outcome


def run_all(runtimes: Sequence[Runtime], seed: int = 0) -> list[Found]:
    """Every case through every runtime."""
    found = []
    for case in cases(seed):
        values = node_values(case)
        found += [Found(case, runtime, outcome(values, runtime)) for runtime in runtimes]
    return found


def markdown(runtimes: Sequence[Runtime], seed: int = 0) -> str:
    """The table and the smallest cases that differ, ending in a newline."""
    found = run_all(runtimes, seed)
    heads = [f"{runtime.name} {runtime.version()}" for runtime in runtimes]
    lines = [_row("asked of the node", *heads), _row(*["---"] * (1 + len(heads)))]
    for setting in SETTINGS:
        for dtype in ("float32", "float64") if setting.doubles else ("float32",):
            mine = [f for f in found if f.case.setting is setting and f.case.dtype == dtype]
            cells = [_cell([f for f in mine if f.runtime is runtime]) for runtime in runtimes]
            lines.append(_row(_asked(setting) + WIDTH[dtype], *cells))
    lines += ["", *_counts(found, runtimes), ""]
    for runtime in runtimes:
        shown = set()
        for f in found:
            cause = (f.case.setting.lengths == "full", f.case.setting.other, *_asked_for(f.case))
            if f.runtime is runtime and f.outcome.verdict == "differs" and cause not in shown:
                line = _smallest(f.case, runtime)
                lines += [line] if line else []
                shown |= {cause} if line else set()
    return "\n".join(lines) + "\n"


def _asked_for(case: Case) -> list[str]:
    """What is asked of the node whatever its direction and layout."""
    return sorted(case.setting.attributes.keys() - {"direction", "layout"})


def _asked(setting: Setting) -> str:
    return setting.asks + (" (unclear)" if setting.unclear else "")


def _cell(found: Sequence[Found]) -> str:
    """'agrees' or 'refused' or 'differs'; with the nodes' names where they are not of one mind."""
    said: dict[str, list[str]] = {}
    for f in found:
        reading = f": {f.outcome.said}" if f.case.setting.unclear else ""
        verdict = f.outcome.verdict + (reading if f.outcome.verdict == "agrees" else "")
        said.setdefault(verdict, []).append(f.case.node.name)
    if len(said) == 1:
        verdict = next(iter(said))
        return f"**{verdict}**" if verdict == "differs" else verdict
    parts = (f"{verdict} ({', '.join(names)})" for verdict, names in said.items())
    return "; ".join(part.replace("differs", "**differs**") for part in parts)


def _counts(found: Sequence[Found], runtimes: Sequence[Runtime]) -> list[str]:
    lines = []
    for runtime in runtimes:
        mine = [f for f in found if f.runtime is runtime]
        count = {v: sum(f.outcome.verdict == v for f in mine) for v in VERDICTS}
        none = sum(f.outcome.verdict == "differs" and bool(f.case.setting.unclear) for f in mine)
        within = f" ({none} of them unclear ones, within no reading)" if none else ""
        lines.append(
            f"- {runtime.name}: {len(mine)} cases; {count['agrees']} agree, "
            f"{count['differs']} differ{within}, {count['refused']} refused."
        )
    return lines


def _smallest(case: Case, runtime: Runtime) -> str:
    """The smallest case, with all that it is given; '' if there is none that is small."""
    found = smallest(case, runtime)
    if found is None:
        return ""
    values, result = found
    asked = f"{case.setting.asks}: {case.node.op}, {_given(values)}"
    return f"- {runtime.name}, {asked}: {result.said}."


def _given(values: NodeValues) -> str:
    case = values.case
    shown = {k: v for k, v in case.attributes.items() if k != "hidden_size"}
    parts = [f"{k} = {v}" for k, v in shown.items()]
    parts += [f"`{name}` = {_numbers(array)}" for name, array in values.inputs.items()]
    return ", ".join(parts)


def _numbers(array: Array) -> str:
    """All sizes but T and B are 1 here: entries in order say it all."""
    return f"[{', '.join(str(np.asarray(entry)) for entry in array.ravel())}]"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
