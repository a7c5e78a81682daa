"""What a case's node is given and what must come out, with bounds, for each reading of the text.

The values come from the equations of the zoo's cells, run for each direction by itself. Where a
node asks for something that no cell of the zoo has (clip, coupled gates, other activations), the
cell's text is changed by a row of a table.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from derive.cell import Cell
from derive.errors import UsageError
from derive.gradients import gradients
from derive.language import parse
from derive.zoo import load
from verify.conventions import CONVENTIONS, to_cell
from verify.kernels import Array, Arrays, Example
from verify.references import reference
from verify.vectors.formats import widened
from verify.vectors.node_rows import Case

__all__ = ["CHANGES", "NodeValues", "Reading", "node_values", "readings_of"]

# Which seeds are tried until a case is clear where it shall be, and unclear where not.
ATTEMPTS = 50

STATES = {"h": "initial_h", "C": "initial_c"}
_GATE = re.compile(r"^(\w+ = (?:sigmoid|tanh|relu))\((.*)\)$", re.MULTILINE)
_READ = re.compile(r"(?<== )(.*)\btanh\((\w+)\)")


def _clip_gates(text: str) -> str:
    head, _, equations = text.partition("\n\n")
    clipped = _GATE.sub(r"\1(max(min(\2, clip), -clip))", equations)
    return f"{head}\nparameter clip[1]\n\n{clipped}"


def _clip_all(text: str) -> str:
    return _READ.sub(r"\1tanh(max(min(\2, clip), -clip))", _clip_gates(text))


def _coupled(line: str) -> Callable[[str], str]:
    """A gate is made from another one: its own equation goes, the new one stands after the last."""

    def change(text: str) -> str:
        gate, _, value = line.partition(" = ")
        other = value.rpartition(" ")[2]
        without = re.sub(rf"^(?:{gate} =|parameter) .*\n", "", text, flags=re.MULTILINE)
        return re.sub(rf"^({other} = .*\n)", rf"\1{line}\n", without, flags=re.MULTILINE)

    return change


# Attribute -> the readings of its text, each with what it makes of a cell's text.
CHANGES: Mapping[str, Mapping[str, Callable[[str], str]]] = {
    "clip": {"gates and candidate clipped": _clip_gates, "C clipped as well": _clip_all},
    "input_forget": {"f = 1 - i": _coupled("f = 1 - i"), "i = 1 - f": _coupled("i = 1 - f")},
}


@dataclass(frozen=True)
class Reading:
    """What must come out, by the operator's names, and how far it may be off.

    Attributes:
        outputs: in the case's dtype.
        bounds: float64; they allow for the rounding of `outputs` as well.
    """

    name: str
    outputs: Arrays
    bounds: Arrays


@dataclass(frozen=True)
class NodeValues:
    """A case with the values of its inputs, by the operator's names, and its readings."""

    case: Case
    inputs: Arrays
    readings: tuple[Reading, ...]


def node_values(case: Case) -> NodeValues:
    """The values of a case, the same for the same case.

    With more than one reading, each differs from the others by more than the bounds; with one,
    all readings that the table has for its attributes come to the same.

    Raises:
        UsageError: no seed makes the case clear, or unclear, as its setting says.
    """
    for attempt in range(ATTEMPTS):
        inputs = _inputs(case, np.random.default_rng([case.seed, attempt]))
        readings = readings_of(case, inputs)
        apart = [_apart(readings[0], other) for other in readings[1:]]
        if case.setting.unclear and all(apart):
            return NodeValues(case, inputs, readings)
        if not case.setting.unclear and not any(apart):
            return NodeValues(case, inputs, readings[:1])
    raise UsageError(f"{case.name}: no seed makes it {'un' * bool(case.setting.unclear)}clear")


def readings_of(case: Case, inputs: Arrays) -> tuple[Reading, ...]:
    """What each reading of the operator's text makes of the inputs."""
    asked = [name for name in CHANGES if name in case.attributes]
    rows = CHANGES[asked[0]] if asked else {"": lambda text: text}
    found = [Reading(name, *_outputs(case, inputs, _cell(case, c))) for name, c in rows.items()]
    if case.setting.lengths == "zero":
        first = found[0]
        empty = _like_batch(case, inputs["sequence_lens"] == 0)
        cleared = {k: np.where(empty, 0, a).astype(a.dtype) for k, a in first.outputs.items()}
        bounds = {k: np.where(empty, 0.0, a) for k, a in first.bounds.items()}
        return (
            Reading("the initial states", first.outputs, first.bounds),
            Reading("zeros", cleared, bounds),
        )
    return tuple(found)


def _like_batch(case: Case, rows: Array) -> Array:
    """Rows of the batch, to stand beside Y_h and Y_c."""
    return rows[:, None, None] if case.attributes.get("layout") else rows[:, None]


def _cell(case: Case, change: Callable[[str], str]) -> Cell:
    text = str(load(CONVENTIONS[case.node.convention].cell))
    if case.setting.other:
        old, new = case.node.changed
        assert old in text, f"{case.node.name} has no {old}"
        text = text.replace(old, new)
    return parse(change(text), case.node.name)


def _outputs(case: Case, inputs: Arrays, cell: Cell) -> tuple[dict[str, Array], dict[str, Array]]:
    found = [reference(e, gradients(cell), case.dtype) for e in _examples(case, inputs, cell)]
    lengths = _lengths(case, inputs)
    values = _assembled(case, cell, [(r.y, r.state_T) for r in found], lengths)
    bounds = _assembled(case, cell, [(r.y_bound, r.state_T_bound) for r in found], lengths)
    stored = {name: values[name].astype(case.dtype) for name in values}
    return stored, {name: widened(bounds[name], values[name], stored[name]) for name in values}


def _examples(case: Case, inputs: Arrays, cell: Cell) -> Iterator[Example]:
    """One example for each direction, its steps in the order in which that direction reads them.

    Parameters are long doubles, so that their bound allows for adding the two biases first.
    """
    turn: Callable[[Array], Array] = lambda a: a.swapaxes(0, 1) if _batchwise(case) else a
    x, lengths = turn(inputs["X"]), _lengths(case, inputs)
    arrays = {k: inputs[k].astype(np.longdouble) for k in "WRBP" if k in inputs}
    known = {p.name for p in cell.parameters}
    for place, reverse in enumerate(case.reversed):
        found = to_cell(CONVENTIONS[case.node.convention], arrays, place)
        params = {name: array for name, array in found.items() if name in known}
        if "clip" in known:
            params["clip"] = np.array([np.float32(case.attributes["clip"])])
        given = {s.name: inputs.get(STATES[s.name]) for s in cell.states}
        zeros = np.zeros((case.batch, case.hidden), case.dtype)
        yield Example(
            cell=cell,
            params=params,
            inputs={cell.inputs[0].name: flipped(x, lengths) if reverse else x},
            state_0={k: zeros if a is None else turn(a)[place] for k, a in given.items()},
            lengths=lengths,
        )


def _assembled(
    case: Case, cell: Cell, runs: list[tuple[Array, Arrays]], lengths: Array
) -> dict[str, Array]:
    """The node's outputs from one (y, state_T) for each direction."""
    turns = zip(runs, case.reversed, strict=True)
    y = np.stack([flipped(y, lengths) if turn else y for (y, _), turn in turns], axis=1)
    found = {"Y": np.moveaxis(y, 2, 0) if _batchwise(case) else y}
    for state in cell.states:
        last = np.stack([last[state.name] for _, last in runs])
        found[f"Y_{state.name.lower()}"] = last.swapaxes(0, 1) if _batchwise(case) else last
    return {name: found[name] for name in case.setting.results if name in found}


def flipped(x: Array, lengths: Array) -> Array:
    """Each row of (T, B, …) with its own steps in reverse order and the rest where it was."""
    t = np.arange(len(x))[:, np.newaxis]
    steps = np.where(t < lengths, lengths - 1 - t, t)
    return np.take_along_axis(x, steps[:, :, np.newaxis], axis=0)


def _batchwise(case: Case) -> bool:
    return bool(case.attributes.get("layout"))


def _lengths(case: Case, inputs: Arrays) -> Array:
    return np.asarray(inputs.get("sequence_lens", np.full(case.batch, case.steps)))


def _inputs(case: Case, rng: np.random.Generator) -> dict[str, Array]:
    """Values that all differ, also in absolute value, and none is zero."""
    row = CONVENTIONS[case.node.convention]
    gates, ways, hidden = len(row.gates) or 1, case.directions, case.hidden
    states = (case.batch, ways, hidden) if _batchwise(case) else (ways, case.batch, hidden)
    first = (case.batch, case.steps) if _batchwise(case) else (case.steps, case.batch)
    shapes = {
        "X": ((*first, case.size), 1.5),
        "W": ((ways, gates * hidden, case.size), 2.0 / np.sqrt(case.size)),
        "R": ((ways, gates * hidden, hidden), 2.0 / np.sqrt(hidden)),
        "B": ((ways, 2 * gates * hidden), 0.8),
        "initial_h": (states, 0.9),
        "initial_c": (states, 0.9),
        "P": ((ways, 3 * hidden), 1.0),
    }
    wanted = {"X", "W", "R", *case.setting.given, *(["P"] if case.node.peepholes else [])}
    if case.node.op != "LSTM":
        wanted -= {"initial_c"}
    shapes = {k: v for k, v in shapes.items() if k in wanted}
    counts = [int(np.prod(shape)) for shape, _ in shapes.values()]
    total = sum(counts)
    strata = (rng.permutation(total) + rng.uniform(0.25, 0.75, total)) / total
    values = rng.choice([-1.0, 1.0], total) * (0.1 + 0.9 * strata)
    parts = np.split(values, np.cumsum(counts)[:-1])
    found = {
        name: (part * limit).astype(case.dtype).reshape(shape)
        for part, (name, (shape, limit)) in zip(parts, shapes.items(), strict=True)
    }
    if case.setting.lengths != "full":
        found["sequence_lens"] = _drawn_lengths(case, rng)
    return found


def _drawn_lengths(case: Case, rng: np.random.Generator) -> Array:
    """Rows that end at different steps, one of them at the last; or one of no steps and full ones.

    A single row ends before the last step, if there are two.
    """
    if case.setting.lengths == "zero":
        ends = [0, *[case.steps] * (case.batch - 1)]
    elif case.batch == 1:
        ends = [max(1, case.steps - 1)]
    else:
        rest = rng.integers(1, max(case.steps, 2), case.batch - 2)
        ends = [case.steps, max(1, case.steps - 2), *rest]
    return rng.permutation(np.array(ends, np.int32))


def _apart(a: Reading, b: Reading) -> bool:
    """Whether nobody can agree with both."""
    return any(
        bool(np.any(np.abs(a.outputs[k].astype(float) - b.outputs[k]) > a.bounds[k] + b.bounds[k]))
        for k in a.outputs
    )
