"""Right layers are not accused; the figures of docs/right.md are those of the recorded run."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from derive import zoo
from derive.version import VERSION

FOLDER = Path(__file__).parents[1] / "docs" / "right"
MODULES = ("layers", "report", "run")
# Cells that are to be among the rows, by the distributions that layers are from.
ASKED = {
    "torch": {"rnn", "lstm", "gru"},
    "keras torch": {"rnn", "lstm", "gru", "gru_reset_before"},
    "onnxruntime": {"rnn", "lstm", "gru"},
    "bptt": {"rnn", "lstm", "gru", "gru_reset_before", "peephole_lstm", "coupled_lstm"},
}


@pytest.fixture(scope="module")
def example():
    """The script's modules by name, forgotten afterwards."""
    path, before = list(sys.path), set(sys.modules)
    sys.path.insert(0, str(FOLDER))
    try:
        yield {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path[:] = path
        for name in MODULES:
            if name not in before:
                sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def recorded(example):
    return json.loads(example["report"].RESULTS.read_text(encoding="utf-8"))


def rows_of(example):
    return example["layers"].LAYERS


# The record.


def test_every_layer_that_was_asked_for_is_a_row_with_results(example, recorded) -> None:
    rows = rows_of(example)
    for packages, cells in ASKED.items():
        assert cells <= {row.cell for row in rows.values() if row.packages == packages}
    assert recorded["layers"].keys() == rows.keys()
    assert min(row["examples"] for row in recorded["layers"].values()) >= 100


def test_no_layer_was_accused_and_none_said_to_be_of_lower_precision(recorded) -> None:
    for name, row in recorded["layers"].items():
        assert row["accusations"] == [], name
        assert row["lowered"] == [], name


def test_what_is_recorded_of_a_layer_agrees_with_itself(example, recorded) -> None:
    for name, row in recorded["layers"].items():
        assert row["examples"] == sum(row["dtypes"].values()) == sum(row["inputs"].values())
        assert row["parts"].keys() == row["inputs"].keys()
        assert row["judged"]["values"] <= row["examples"] + row["replaced"]
        # What is judged on every example, was on all but those that stand for a wider one.
        assert row["judged"]["runs"] >= row["examples"], name
        forward_only = "gradients" in row["not judged"]
        assert ("gradients" in row["judged"]) != forward_only
        assert forward_only == (rows_of(example)[name].packages == "onnxruntime")
        for dtype, count in row["dtypes"].items():
            assert 0 < row["share"][dtype] < 1, name
            assert count > 0
        both = rows_of(example)[name].packages in ("torch", "bptt")
        assert set(row["dtypes"]) == ({"float32", "float64"} if both else {"float32"}), name


def test_the_figures_of_the_page_are_those_of_the_results(example, recorded) -> None:
    report = example["report"]
    text = report.PAGE.read_text(encoding="utf-8")
    assert report.renewed(text, recorded) == text, "run python docs/right/report.py"
    lie = text.replace(" 0 accusations", " 7 accusations")
    assert lie != text
    assert report.renewed(lie, recorded) == text


# The script.


@pytest.mark.parametrize(
    "name", ["numpy.lstm", "numpy.gru", "torch.lstm", "keras.gru", "onnx.lstm"]
)
def test_a_layer_of_the_table_is_not_accused(name, example) -> None:
    row = rows_of(example)[name]
    if not example["run"].can_run(row):
        pytest.skip(f"{row.packages} are not all here")
    found = example["run"].part_of(row, 3, examples=3)
    assert found["accusations"] == []
    assert found["examples"] == 3
    assert found["judged"]["values"] == 3
    assert found["versions"] == [example["layers"].version_of(row)]


@pytest.mark.slow
@pytest.mark.parametrize("place", range(9))
def test_kernels_of_the_table_are_not_accused_on_many_examples(place, example) -> None:
    rows = [row for row in rows_of(example).values() if row.packages == "bptt"]
    assert len(rows) == 9
    found = example["run"].part_of(rows[place], 100, examples=100)
    assert (found["accusations"], found["lowered"]) == ([], [])


class Wrong:
    """A kernel whose first gradient is a little too large."""

    def __init__(self, right):
        self.right, self.forward = right, right.forward

    def backward(self, *given):
        found = self.right.backward(*given)
        return {**found, "W": np.asarray(found["W"] * (1 + 1e-3), found["W"].dtype)}


def test_a_wrong_layer_would_be_accused(example) -> None:
    rows, run = rows_of(example), example["run"]
    right = rows["numpy.rnn"]
    changed = {**vars(right), "made": lambda part: Wrong(right.made(part))}
    found = run.part_of(type(right)(**changed), 0, examples=3)
    assert "gradients" in {a["property"] for a in found["accusations"]}
    assert max(found["share"].values()) > 1
    assert found["versions"] == [f"bptt {VERSION}"]


def test_parts_are_added_up_and_those_that_are_done_are_not_run_again(example) -> None:
    run, report = example["run"], example["report"]
    row, results = rows_of(example)["numpy.rnn"], {"layers": {}}
    assert run.parts_left(results, row.name, 3 * run.PART) == [0, 1, 2]
    for part in (1, 0):
        report.added(results, run.part_of(row, part, examples=2))
    found = results["layers"][row.name]
    assert found["examples"] == sum(found["dtypes"].values()) == 4
    assert found["parts"] == {run.inputs(): [0, 1]}
    assert found["judged"]["values"] == 4
    assert found["accusations"] == []
    found["inputs"][run.inputs()] = 2 * run.PART
    assert run.parts_left(results, row.name, 3 * run.PART) == [2]
    assert run.parts_left(results, row.name, 2 * run.PART) == []
    assert run.parts_left(results, "numpy.lstm", 1) == [0]


def test_results_of_several_machines_are_added_and_no_part_is_counted_twice(
    example, recorded, tmp_path
) -> None:
    report, name = example["report"], "numpy.rnn"
    row, paths = recorded["layers"][name], [tmp_path / "one.json", tmp_path / "two.json"]
    other = {**row, "parts": {inputs: [10**6] for inputs in row["parts"]}}
    for path, kept in zip(paths, (row, other), strict=True):
        path.write_text(json.dumps({"layers": {name: kept}}), encoding="utf-8")
    found = report.joined(paths)["layers"][name]
    assert found["examples"] == 2 * row["examples"]
    assert found["judged"]["values"] == 2 * row["judged"]["values"]
    assert report.joined(paths[:1])["layers"][name] == row
    with pytest.raises(
        ValueError, match=r"one\.json: part \d+ of numpy\.rnn is in another file, too"
    ):
        report.joined([paths[0], paths[0]])


def test_parts_have_examples_of_their_own(example) -> None:
    run = example["run"]
    cell = zoo.load("rnn")
    labels = [{e.label for e in run.pinned(cell, run.APART * part)} for part in (0, 1)]
    assert not labels[0] & labels[1]


def test_a_share_is_the_largest_error_over_its_bound(example) -> None:
    value = np.array([1.0, 2.0, 5.0, 0.0])
    expected, bound = np.array([1.0, 2.5, 0.0, 0.0]), np.array([1.0, 2.0, np.inf, 0.0])
    assert example["run"]._share(value, expected, bound) == 0.25


def test_the_dtype_of_an_example_is_the_one_that_it_was_run_in(example) -> None:
    from verify.adapters.limits import FULL, Limits

    dtype = example["run"]._dtype
    assert dtype("rnn: T=1, float32, seed 0", FULL) == "float32"
    assert dtype("rnn: T=1, float64, seed 0", FULL) == "float64"
    assert dtype("rnn: T=1, float64, seed 0; x", Limits(dtypes=("float32",))) == "float32"
