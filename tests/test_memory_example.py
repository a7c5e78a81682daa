"""The example of docs/memory.md: its tasks, its gradients, and that its numbers come from it."""

import importlib
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "memory"
MODULES = ("tasks", "model", "report", "train")
SMALL = {"lag": 10, "units": 16, "batch": 32, "updates": 300, "window": 50, "tests": 64}


@pytest.fixture(scope="module")
def example():
    """Its modules by name, forgotten afterwards."""
    sys.path.insert(0, str(FOLDER))
    try:
        yield {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path.remove(str(FOLDER))
        for name in MODULES:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def recorded(example):
    return json.loads(example["report"].RESULTS.read_text(encoding="utf-8"))


def settings_of(example, **changes):
    return replace(example["train"].SETTINGS, **changes)


# The tasks are those of the paper.


def rows_of(data):
    """Each sequence up to its own end, and its target."""
    pairs = zip(data.lengths, data.target, strict=True)
    return [(data.x[:length, b], target) for b, (length, target) in enumerate(pairs)]


@pytest.mark.parametrize("lag", [10, 100])
def test_the_answer_of_the_adding_problem_can_be_read_off_its_markers(example, lag) -> None:
    data = example["tasks"].adding(np.random.default_rng(0), lag, 500)
    places, back = set(), set()
    for row, target in rows_of(data):
        assert lag <= len(row) <= lag * 11 // 10
        value, marker = row.T
        first, second = np.flatnonzero(marker == 1)
        places |= {first, second}
        assert first < min(10, lag // 2)
        assert second < lag // 2
        assert marker[-1] == -1
        assert np.count_nonzero(marker) == (4 if first else 3)
        assert value[0] == 0 or first > 0
        assert target == pytest.approx(0.5 + (value[first] + value[second]) / 4, rel=1e-15)
        back.add(len(row) - 1 - first)
    assert places == set(range(lag // 2))
    least, most = example["tasks"].TASKS["adding"].first(lag)
    assert least <= min(back)
    assert max(back) == most
    assert set(data.lengths) == set(range(lag, lag * 11 // 10 + 1))


@pytest.mark.parametrize("lag", [10, 100])
def test_the_answer_of_the_temporal_order_problem_is_the_order(example, lag) -> None:
    data = example["tasks"].temporal_order(np.random.default_rng(0), lag, 500)
    firsts, seconds, back = set(), set(), set()
    for row, target in rows_of(data):
        assert lag <= len(row) <= lag * 11 // 10
        text = "".join("abcdXYEB"[k] for k in row.argmax(axis=1))
        assert np.array_equal(row.sum(axis=1), np.ones(len(row)))
        assert text[0] == "E"
        assert text[-1] == "B"
        first, second = (k for k, symbol in enumerate(text) if symbol in "XY")
        assert set(text[1:first] + text[first + 1 : second] + text[second + 1 : -1]) <= set("abcd")
        assert ["XX", "XY", "YX", "YY"][target.argmax()] == text[first] + text[second]
        firsts.add(first)
        seconds.add(second)
        back.add(len(row) - 1 - first)
    assert firsts == set(range(lag // 10, lag // 5 + 1))
    assert seconds == set(range(lag // 2, lag // 2 + lag // 10 + 1))
    assert (min(back), max(back)) == example["tasks"].TASKS["temporal order"].first(lag)


# The gradients are the kernels' own, and right.


def small_case(example, task_name, run):
    train, task = example["train"], example["tasks"].TASKS[task_name]
    settings = settings_of(example, **SMALL | {"units": 3, "batch": 4})
    model = example["model"].emit(run.cell, task.readout)
    params = train.begin(model, task, run, settings, seed=1)
    data = task.draw(np.random.default_rng(2), settings.lag, settings.batch)
    return model, params, data, settings.lag


# The losses, written out once more, for complex numbers.
LOSSES = {
    "adding": lambda z, target: np.sum((z - target) ** 2) / 2,
    "temporal order": lambda z, target: np.log(np.sum(np.exp(z))) - target @ z,
}


def by_complex_step(case, task, b, k):
    """|dL/dstate| k steps before the end of sequence b, with no backward pass."""
    model, params, data, _ = case
    cell, linear = params["cell"], params["readout"]
    at = data.lengths[b] - k
    _, state, _ = model.body.forward(cell, data.x[:at, [b]])
    rest = data.x[at : data.lengths[b], [b]].astype(complex)
    complex_cell = {name: array.astype(complex) for name, array in cell.items()}
    slopes = []
    for name in state:
        for unit in range(state[name].shape[1]):
            moved = {other: array.astype(complex) for other, array in state.items()}
            moved[name][0, unit] += 1e-30j
            _, end, _ = model.body.forward(complex_cell, rest, moved)
            z = linear["W"] @ end["h"][0] + linear["b"]
            slopes.append(LOSSES[task](z, data.target[b]).imag / 1e-30)
    return np.linalg.norm(slopes)


@pytest.mark.parametrize("task", ["adding", "temporal order"])
@pytest.mark.parametrize("place", range(4))
def test_gradients_over_lag_are_slopes_of_the_loss_by_the_state(example, task, place) -> None:
    case = small_case(example, task, example["train"].RUNS[place])
    model, params, data, lag = case
    found = model.by_lag(params, data, lag)
    for b in range(len(data.lengths)):
        for k in (0, 1, 4, lag):
            assert found[k, b] == pytest.approx(by_complex_step(case, task, b, k), rel=1e-10)


def test_gradients_over_lag_end_in_those_of_one_backward_run(example) -> None:
    model, params, data, lag = small_case(example, "adding", example["train"].RUNS[2])
    data = replace(data, lengths=np.full_like(data.lengths, lag))
    _, _, tapes = model.losses(params, data)
    whole = model.gradients(params, tapes)["cell"]
    norms = len(data.lengths) * np.hypot(
        *(np.linalg.norm(whole[k], axis=1) for k in ("h_0", "C_0"))
    )
    assert model.by_lag(params, data, lag)[lag] == pytest.approx(norms, rel=1e-12)


# Training.


def test_the_loss_falls_within_seconds_at_lag_10(example) -> None:
    train = example["train"]
    found = train.learn("adding", train.RUNS[3], settings_of(example, **SMALL), seed=0)
    assert found["curve"][-1] < found["guessing"] / 4 < found["curve"][0]
    assert found["loss"] < found["guessing"] / 4
    assert found["before"] != found["after"]


def test_adam_takes_the_steps_of_its_paper_on_a_clipped_gradient(example) -> None:
    params = {"cell": {"W": np.array([1.0, 2.0])}}
    adam = example["train"].Adam(params, rate=0.1, clip=1.0)
    adam.step({"cell": {"W": np.array([3.0, -4.0])}})  # clipped to 0.6, -0.8; the step is its sign
    assert params["cell"]["W"] == pytest.approx([0.9, 2.1], rel=1e-7)
    adam.step({"cell": {"W": np.array([0.0, 0.0])}})
    mean = np.array([0.6, -0.8]) * 0.1 * 0.9 / (1 - 0.9**2)
    square = np.array([0.6, -0.8]) ** 2 * 0.001 * 0.999 / (1 - 0.999**2)
    step = 0.1 * mean / (np.sqrt(square) + 1e-8)
    assert params["cell"]["W"] == pytest.approx(np.array([0.9, 2.1]) - step, rel=1e-7)


# What the page shows is what the example gave.


def test_results_are_of_the_runs_that_the_example_has_now(example, recorded) -> None:
    train = example["train"]
    as_json = lambda value: json.loads(json.dumps(value))
    assert recorded["settings"] == as_json(asdict(train.SETTINGS))
    assert recorded["runs"] == as_json([asdict(run) for run in train.RUNS])
    wanted = {
        (task, run.name, seed)
        for task in example["tasks"].TASKS
        for run in train.RUNS
        for seed in train.SETTINGS.seeds
    }
    found = [(r["task"], r["run"], r["seed"]) for r in recorded["results"]]
    assert len(found) == len(wanted)
    assert set(found) == wanted


@pytest.mark.parametrize("task", ["adding", "temporal order"])
@pytest.mark.parametrize("place", range(4))
def test_recorded_gradients_before_training_are_what_kernels_give(
    example, recorded, task, place
) -> None:
    train, seed = example["train"], 0
    run, row = train.RUNS[place], example["tasks"].TASKS[task]
    model = example["model"].emit(run.cell, row.readout)
    params = train.begin(model, row, run, train.SETTINGS, seed)
    found = train.lags(model, row, params, train.SETTINGS, seed)
    (kept,) = [
        r for r in recorded["results"] if (r["task"], r["run"], r["seed"]) == (task, run.name, seed)
    ]
    # Both are rounded to four digits: one unit of the last is at most a thousandth.
    assert found == pytest.approx(kept["before"], rel=1.001e-3)


def test_tables_of_the_page_are_those_of_the_results(example, recorded) -> None:
    report = example["report"]
    text = report.PAGE.read_text(encoding="utf-8")
    assert report.renewed(text, recorded) == text, "run python docs/memory/report.py"
    lie = text.replace(f"{recorded['settings']['units']} units", "7 units")
    assert lie != text
    assert report.renewed(lie, recorded) == text


def test_what_the_page_says_in_words_is_so(recorded) -> None:
    tests = recorded["settings"]["tests"]
    worse = []
    for r in recorded["results"]:
        if r["run"] in ("LSTM", "GRU"):
            assert r["wrong"] < 0.01 * tests, r["run"]  # they learn both tasks, from every seed
            assert r["loss"] < 0.01 * r["guessing"]
            assert r["before"][100] > 0.05  # the gradient reaches the first input
            assert r["after"][100] >= r["after"][20]  # and does not shrink
        else:
            assert r["loss"] > 0.98 * r["guessing"], r["run"]  # these do not beat guessing
            assert r["wrong"] > 0.7 * tests
            assert r["before"][100] < 0.01
        if r["run"] == "RNN":
            worse.append(r["after"][100] < r["before"][100])
    assert sum(worse) > len(worse) / 2


def test_the_picture_shows_these_results(example) -> None:
    report = example["report"]
    assert report.digest().encode() in report.PICTURE.read_bytes(), "run docs/memory/report.py"
