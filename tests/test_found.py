"""docs/found.md: its tables are those of its results, and its results prove what it claims."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from derive import zoo
from verify.adapters import adapt
from verify.strategies import make_example

FOLDER = Path(__file__).parents[1] / "docs" / "found"
MODULES = (
    "theirs",
    "repair",
    "repairs",
    "repairs_packages",
    "repairs_repositories",
    "repairs_courses",
    "repairs_torch",
    "archives",
    "layers",
    "report",
    "confirm",
    "run",
)


@pytest.fixture(scope="module")
def found():
    """Its modules by name, forgotten afterwards."""
    sys.path.insert(0, str(FOLDER))
    try:
        yield {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path.remove(str(FOLDER))
        for name in MODULES:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def rows(found):
    """Layers with what came of them."""
    results = found["report"].load()
    return [(layer, results[layer.name]["runs"]) for layer in found["layers"].LAYERS]


# What the page shows is what was found.


def test_tables_of_the_page_are_those_of_the_results(found) -> None:
    report = found["report"]
    text = report.PAGE.read_text(encoding="utf-8")
    assert report.renewed(text, report.load()) == text, "run python docs/found/report.py"
    lie = text.replace("| right |", "| wrong |")
    assert lie != text
    assert report.renewed(lie, report.load()) == text


def test_every_layer_has_its_adapter_its_cell_and_its_results(found) -> None:
    layers = found["layers"].LAYERS
    others = {f"{name}.py" for name in MODULES}
    assert {f"{row.name}.py" for row in layers} == {p.name for p in FOLDER.glob("*.py")} - others
    assert [row.name for row in layers] == list(found["report"].load())
    assert {row.archive for row in layers} == set(found["layers"].ARCHIVES)
    for row in layers:
        zoo.load(str(FOLDER / row.cell) if "." in row.cell else row.cell)


def test_there_are_right_layers_and_wrong_ones(rows) -> None:
    verdicts = [runs[0]["verdict"] for _, runs in rows]
    assert verdicts.count("right") >= 6
    assert verdicts.count("wrong") >= 6
    assert all(bool(row.repairs) == (runs[0]["verdict"] == "wrong") for row, runs in rows)


def test_each_claim_is_proved_by_its_lines_alone(rows) -> None:
    for row, runs in rows:
        every = set(range(len(row.repairs)))
        verdicts = {frozenset(run["repaired"]): run["verdict"] for run in runs}
        wanted = {frozenset(every): "right"} | {frozenset(every - {k}): "wrong" for k in every}
        assert wanted.items() <= verdicts.items(), row.name


def test_a_wrong_gradient_is_seen_by_differences_and_a_repaired_one_agrees(rows) -> None:
    for row, runs in rows:
        if not row.repairs:
            continue
        first, last = runs[0], runs[-1]
        float32 = "float64" in last["not_given"]
        off = lambda worst: abs(worst["theirs"] - worst["differences"])
        assert "theirs" in last["worst"], row.name
        assert off(last["worst"]) < (1e-3 if float32 else 1e-8), row.name
        if first["own_gradient"] == "no" and not all("NaN" in r.what for r in row.repairs):
            assert "raised" in first["worst"] or off(first["worst"]) > 1e-2, row.name


def test_a_repair_is_a_fragment_of_a_line(found) -> None:
    for row in found["layers"].LAYERS:
        for repair in row.repairs:
            assert repair.kind in ("bug", "choice")
            for _, line, old, new in repair.edits:
                assert line > 0
                assert old != new
                assert "\n" not in old + new
                assert len(old) < 80


# The means by which it is run.

SOURCE = "FACTOR = 2\n\n\ndef twice(x):\n    return FACTOR * x\n"


@pytest.fixture
def archive(found, tmp_path, monkeypatch):
    """An archive with a package of one module and a notebook; what is imported is forgotten."""
    monkeypatch.setattr(found["theirs"], "CACHE", tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    (tmp_path / "theirs-1.0" / "somebody").mkdir(parents=True)
    (tmp_path / "theirs-1.0" / "somebody" / "__init__.py").write_text("")
    (tmp_path / "theirs-1.0" / "somebody" / "code.py").write_text("import heavy\n" + SOURCE)
    cells = [{"source": ["x = 1 / 0\n"]}, {"source": [*SOURCE.splitlines(True), "twice(y)\n"]}]
    (tmp_path / "theirs-1.0" / "note.ipynb").write_text(json.dumps({"cells": cells}))
    before = set(sys.modules)
    yield tmp_path / "theirs-1.0"
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(("edits", "answer"), [([], 6), ([("2", "5")], 15)])
def test_a_module_is_imported_with_its_lines_repaired_and_its_file_as_it_was(
    found, archive, monkeypatch, edits, answer
) -> None:
    file = "somebody/code.py"
    wanted = json.dumps([[file, 2, *edit] for edit in edits])
    monkeypatch.setenv("FOUND_EDITS", wanted)
    code = found["theirs"].module("theirs-1.0", "somebody.code", stubs={"heavy": []})
    assert code.twice(3) == answer
    assert SOURCE in (archive / file).read_text()
    assert not list(archive.rglob("*.pyc"))


def test_functions_of_a_notebook_are_taken_and_nothing_else_is_run(
    found, archive, monkeypatch
) -> None:
    edit = ["note.ipynb, cell 1", 5, "FACTOR *", "FACTOR +"]
    for edits, answer in (([], 30), ([edit], 13)):
        monkeypatch.setenv("FOUND_EDITS", json.dumps(edits))
        note = found["theirs"].notebook("theirs-1.0", "note.ipynb", (0, 1), {"FACTOR": 10})
        assert note.twice(3) == answer


@pytest.mark.parametrize(("line", "old"), [(1, "3"), (2, "FACTOR"), (9, "FACTOR"), (1, "A")])
def test_a_line_that_is_not_as_expected_is_not_repaired(found, line, old) -> None:
    text = SOURCE.replace("FACTOR = 2", "FAACTOR = 2")
    with pytest.raises(LookupError, match=f"code.py, line {line}: expected `{old}`, found"):
        found["theirs"].edited(text, [("code.py", line, old, "0")], "code.py")


def test_what_is_missing_is_said_with_how_to_get_it(found, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(found["run"], "CACHE", tmp_path)
    archive = found["layers"].ARCHIVES["learn_dl"]
    said = found["run"].fetched(archive)
    assert said.startswith(f"git clone https://github.com/hanbt/learn_dl {tmp_path}")
    assert said.endswith(f"checkout {archive.version}")
    (tmp_path / "learn_dl").mkdir()
    assert found["run"].fetched(archive) == ""


@pytest.mark.parametrize(("factor", "entry"), [(1.0, ""), (1.25, "U")])
def test_differences_find_the_entry_that_is_furthest_off(found, factor, entry) -> None:
    def forward(p, x, s):
        y = np.cumsum(x @ p["W"].T, axis=0) + s["h"] @ p["U"].T
        return y, {"h": y[-1]}, (x, s)

    def backward(p, tape, dy, ds):
        x, s = tape
        late = np.cumsum(
            (dy + ds["h"] * (np.arange(len(dy)) == len(dy) - 1)[:, None, None])[::-1], axis=0
        )[::-1]
        return {
            "W": np.einsum("tbn,tbm->nm", late, x),
            "U": factor * late[0].T @ s["h"],
            "x": late @ p["W"],
            "h_0": late[0] @ p["U"],
        }

    kernel = adapt(forward, backward, cell="rnn", arrays={"W": "W", "U": "U", "b": "b"})
    example = make_example(zoo.load("rnn"), steps=3, batch=2, sizes={"n": 2, "m": 3}, seed=5)
    worst = found["confirm"].worst(kernel, found["confirm"].within(kernel.limits, example))
    assert worst["entry"].startswith(entry)
    off = abs(worst["theirs"] / worst["differences"] - factor)
    assert off < 1e-9


def test_a_gradient_that_is_left_out_is_not_given(found) -> None:
    both = lambda p, tape, dy, ds: {"b": dy.sum((0, 1)), "h_0": 0 * ds["h"]}
    kernel = adapt(lambda p, x, s: (x, s, ()), both, cell="rnn")
    example = make_example(zoo.load("rnn"), steps=3, batch=2, sizes={"n": 2, "m": 2}, seed=5)
    for each, names in (
        (kernel, {"b", "h_0"}),
        (found["theirs"].leaving_out(kernel, "h_0"), {"b"}),
    ):
        _, _, tape = each.forward(example.params, example.inputs["x"], example.state_0)
        assert set(each.backward(example.params, tape, example.dy, example.dstate_T)) == names


# Of values, with the layers themselves, where they are.


def theirs(found, archive: str, name: str):
    if not (found["theirs"].CACHE / archive).is_dir():
        pytest.skip(f"{archive} is not in {found['theirs'].CACHE}")
    return found["theirs"].module(archive, name)


def test_lem_of_torchrecurrent_reads_the_cell_state_of_the_step_before(found) -> None:
    torch = pytest.importorskip("torch")
    layer = theirs(found, "torchrecurrent", "torchrecurrent").LEMCell(2, 3).double()
    x, h, c = (torch.randn(1, n, dtype=torch.float64) for n in (2, 3, 3))
    p = {name: a.detach().numpy() for name, a in layer.named_parameters()}
    a = x.numpy() @ p["weight_ih"].T + p["bias_ih"]
    r = h.numpy() @ p["weight_hh"].T + p["bias_hh"]
    sigmoid = lambda z: 1 / (1 + np.exp(-z))
    step_h, step_c = (layer.dt * sigmoid(a[:, k : k + 3] + r[:, k : k + 3]) for k in (0, 3))
    new_c = (1 - step_c) * c.numpy() + step_c * np.tanh(a[:, 6:9] + r[:, 6:9])
    got_h, got_c = (v.detach().numpy() for v in layer(x, (h, c)))
    assert got_c == pytest.approx(new_c, rel=1e-12)
    for read, same in ((new_c, False), (c.numpy(), True)):
        inner = a[:, 9:] + read @ p["weight_ch"].T + p["bias_ch"]
        new_h = (1 - step_h) * h.numpy() + step_h * np.tanh(inner)
        assert (abs(got_h - new_h).max() < 1e-12) == same


@pytest.mark.parametrize(("name", "same"), [("minGRU", True), ("minLSTM", False)])
def test_a_sequence_of_mingru_pytorch_is_its_halves_but_for_minlstm(found, name, same) -> None:
    torch = pytest.importorskip("torch")
    code = theirs(found, "minGRU-pytorch", f"minGRU_pytorch.{name}")
    layer = vars(code)[name](3).double()
    x = torch.randn(2, 6, 3, dtype=torch.float64)
    whole = layer(x)
    _, state = layer(x[:, :3], return_next_prev_hidden=True)
    half = layer(x[:, 3:], prev_hidden=state)
    assert bool((abs(whole[:, 3:] - half) < 1e-12).all()) == same
