"""What the Coq file says, computed: it is what the kernel computes."""

import re

import numpy as np
import pytest
from coq_reader import CoqFile

from derive import zoo
from derive.backends.coq import coq_source
from derive.backends.numpy import numpy_source
from derive.errors import UsageError
from derive.gradients import gradients
from verify.loading import kernel_from_source
from verify.references import reference
from verify.strategies import make_example

STEPS = 3


def exported(name: str) -> str:
    try:
        return coq_source(gradients(zoo.load(name)))
    except UsageError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", zoo.names())
def test_forward_and_reverse_sweep_of_the_file_are_those_of_the_kernel(name: str) -> None:
    source, cell = exported(name), zoo.load(name)
    derived = gradients(cell)
    sizes = {d: 2 + k for k, d in enumerate(cell.dimensions)}
    example = make_example(cell, steps=STEPS, batch=1, sizes=sizes, seed=3)
    kernel = kernel_from_source(numpy_source(derived))
    _, state_T, tape = kernel.forward(example.params, example.x, example.state_0)
    grads = kernel.backward(example.params, tape, example.dy, example.dstate_T)
    bounds = reference(example, derived)

    file = CoqFile(source, list(sizes.values()))
    p = {f"p_{n}": _matrix(a) for n, a in example.params.items()}
    xs = [{f"x_{n}": _matrix(a[t, 0]) for n, a in example.inputs.items()} for t in range(STEPS)]
    states = [{f"s_{n}": _matrix(a[0]) for n, a in example.state_0.items()}]
    for x in xs:
        states.append(file.call("step", p, x, states[-1]))
    assert _near(states[-1], {f"s_{n}": a[0] for n, a in state_T.items()}, _slack(bounds, "state"))
    carry = {f"s_{n}": _matrix(a[0]) for n, a in example.dstate_T.items()}
    total = {field: np.zeros_like(a) for field, a in p.items()}
    dx = []
    for t in reversed(range(STEPS)):
        dy = _matrix(example.dy[t, 0])
        summands = file.call("adjP", p, xs[t], states[t], dy, carry)
        total = {field: a + _full(summands[field], a) for field, a in total.items()}
        dx.append(file.call("adjX", p, xs[t], states[t], dy, carry))
        carry = file.call("adjS", p, xs[t], states[t], dy, carry)
    slack = _slack(bounds, "grads")
    assert _near(total, {f"p_{n}": grads[n] for n in example.params}, slack)
    assert _near(carry, {f"s_{n}": grads[f"{n}_0"][0] for n in example.state_0}, slack)
    by_name = grads["x"] if isinstance(grads["x"], dict) else {cell.inputs[0].name: grads["x"]}
    for t, found in enumerate(reversed(dx)):
        assert _near(found, {f"x_{n}": a[t, 0] for n, a in by_name.items()}, slack)


SMOOTH = re.compile(
    r"ok_\w+ : forall i j, .*? -> (0 < |frac_part )?"
    r"\(?\(([vpsx]_\w+) p?[ xs]*\) i j\)?( <> 0)?[;} ]"
)


# No point is away from every kink: the theorems about gradients say nothing. docs/coq.md says so.
ALWAYS_AT_A_KINK = {"slstm_code": "of two arguments of its min, one is always at the seam"}


@pytest.mark.parametrize("name", zoo.names())
def test_what_the_theorems_suppose_holds_somewhere(name: str) -> None:
    """Away from kinks and poles: a point where every condition of the file is met."""
    source, cell = exported(name), zoo.load(name)
    record = next(line for line in source.splitlines() if line.startswith("Record smooth"))
    asked = SMOOTH.findall(record)
    assert len(asked) == record.count("forall i j"), record
    sizes = {d: 2 + k for k, d in enumerate(cell.dimensions)}
    file = CoqFile(source, list(sizes.values()))

    def met(seed: int) -> bool:
        example = make_example(cell, steps=1, batch=1, sizes=sizes, seed=seed)
        p = {f"p_{n}": _matrix(a) for n, a in example.params.items()}
        x = {f"x_{n}": _matrix(a[0, 0]) for n, a in example.inputs.items()}
        s = {f"s_{n}": _matrix(a[0]) for n, a in example.state_0.items()}
        with np.errstate(all="ignore"):
            known = {**p, **x, **s}
            values = [
                (kind, known[of] if of in known else file.call(of, p, x, s))
                for kind, of, _ in asked
            ]
        values = [(kind, getattr(v, "value", v)) for kind, v in values]
        positive = all(np.all(v > 0) for kind, v in values if kind == "0 < ")
        return positive and all(np.all(v != 0) for kind, v in values if kind != "0 < ")

    assert any(met(seed) for seed in range(20)) == (name not in ALWAYS_AT_A_KINK)


def _matrix(array: np.ndarray) -> np.ndarray:
    return array[:, None] if array.ndim == 1 else array


def _full(value: object, like: np.ndarray) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return np.broadcast_to(value[: len(like)], like.shape)
    return np.full_like(like, value.value)


def _slack(bounds: object, kind: str) -> float:
    """Both sides round: twice the largest bound of the reference."""
    found = bounds.grads_bound if kind == "grads" else bounds.state_T_bound
    return 4 * max(float(np.max(a, initial=0)) for a in found.values()) + 1e-300


def _near(found: dict, expected: dict, slack: float) -> bool:
    return all(
        np.max(np.abs(_full(found[n], _matrix(a)) - _matrix(a)), initial=0) <= slack
        for n, a in expected.items()
    )
