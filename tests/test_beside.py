"""docs/beside.md: layers are wrapped rightly, and what the page says comes from its scripts."""

import importlib
import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import derive
from verify.deviations.machine import kernel_of
from verify.isolation import Outcome
from verify.kernels import sizes_of
from verify.loading import kernel_from_source
from verify.mutants import Bench, mutants_of
from verify.properties import PROPERTIES
from verify.runner import run

FOLDER = Path(__file__).parents[1] / "docs" / "beside"
MODULES = ("report", "layers", "checkers", "node_tests", "mutants", "trials", "detection")
GRADCHECK = ("gradcheck", "gradcheck, tight", "gradcheck, fast")


@pytest.fixture(scope="module")
def beside():
    """The page's modules by name, forgotten afterwards."""
    sys.path.insert(0, str(FOLDER))
    try:
        yield {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path.remove(str(FOLDER))
        for name in MODULES:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def killed(beside):
    return json.loads(beside["report"].MUTANTS.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def detected(beside):
    return json.loads(beside["report"].DETECTION.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def benches():
    return {name: Bench.of(derive.load(name)) for name in ("lstm", "gru")}


def kernel(name):
    return kernel_from_source(derive.numpy_source(derive.backpropagate(derive.load(name))))


def changed(inner, change):
    """A kernel whose gradients go through a function."""

    class Changed:
        forward = staticmethod(inner.forward)

        @staticmethod
        def backward(params, tape, dy=None, dstate_T=None):
            return change(dict(inner.backward(params, tape, dy, dstate_T)))

    return Changed()


def needs(checker):
    if checker.package:
        pytest.importorskip(checker.package)


# A wrapped kernel is a layer that checkers take.


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("use", ["all", "usual", "last"])
@pytest.mark.parametrize("place", range(6))
def test_a_right_layer_passes_and_a_gradient_of_twice_the_size_does_not(beside, cell, use, place):
    checkers, layers = beside["checkers"], beside["layers"]
    row = checkers.CHECKERS[place]
    needs(row)
    twice = changed(kernel(cell), lambda grads: {name: 2 * a for name, a in grads.items()})
    made = [layers.layer(derive.load(cell), k, layers.USES[use]) for k in (kernel(cell), twice)]
    assert not checkers.accuses(row, made[0])
    if row.name != "chex":  # it allows 0.01 for each entry of the first argument
        assert checkers.accuses(row, made[1])


def test_a_layer_that_raises_is_accused(beside):
    checkers, layers = beside["checkers"], beside["layers"]
    broken = changed(kernel("gru"), lambda grads: {}["nothing"])
    made = layers.layer(derive.load("gru"), broken, layers.USES["all"])
    for row in checkers.CHECKERS:
        if row.package not in checkers.missing():
            assert checkers.accuses(row, made), row.name


def test_a_gradient_of_zero_passes_gradcheck_where_the_right_one_is_small(beside):
    checkers, layers = beside["checkers"], beside["layers"]
    cell = derive.load("lstm")
    zero = changed(kernel("lstm"), lambda g: {**g, "C_0": np.zeros_like(g["C_0"])})
    outcome = {}
    for bias in (-2.0, 2.0):
        made = layers.layer(cell, zero, layers.USES["last"])
        made = replace(made, arrays={**made.arrays, "b_f": np.full(layers.HIDDEN, bias)})
        outcome[bias] = [checkers.accuses(checkers.BY_NAME["differences"], made)]
        if "torch" not in checkers.missing():
            outcome[bias].append(checkers.accuses(checkers.BY_NAME["gradcheck"], made))
    assert not outcome[-2.0][-1]
    assert all(outcome[2.0])
    report = run(cell, zero, examples=8)
    assert report.verdict == "wrong"
    assert (report.findings[0].property, report.findings[0].parameter) == ("gradients", "C_0")


def test_what_is_not_installed_is_said(beside, monkeypatch):
    checkers = beside["checkers"]
    monkeypatch.setattr(checkers, "find_spec", lambda name: None)
    names = ", ".join(GRADCHECK)
    assert checkers.missing() == {"torch": names, "jax": "check_grads", "chex": "chex"}


def test_the_scripts_go_on_without_what_is_not_installed(beside, monkeypatch, tmp_path, capsys):
    mutants, detection, all_of = (
        beside["mutants"],
        beside["detection"],
        beside["mutants"].mutants_of,
    )
    monkeypatch.setattr(beside["checkers"], "find_spec", lambda name: None)
    monkeypatch.setattr(mutants, "find_spec", lambda name: None)
    monkeypatch.setattr(mutants, "mutants_of", lambda *given: list(all_of(*given))[:2])
    monkeypatch.setattr(detection, "SIZES", {"float64": (0.1,)})
    for script in (mutants, detection):
        out = tmp_path / script.__name__
        more = ["--trials", "1"] if script is detection else []
        monkeypatch.setattr(sys, "argv", [script.__name__, "--out", str(out), *more])
        script.main()
        said = capsys.readouterr().out
        assert f"torch is not installed: without {', '.join(GRADCHECK)}\n" in said
        assert "| gradcheck |" not in said
    found = json.loads((tmp_path / "mutants").read_text())
    assert [len(cell["mutants"]) for cell in found["cells"].values()] == [2, 2]
    assert all(r["verify"] for cell in found["cells"].values() for r in cell["mutants"])
    (part,) = json.loads((tmp_path / "detection").read_text())["dtypes"].values()
    assert [row["name"] for row in part["rows"][:2]] == ["verify, derived", "verify, own forward"]
    assert [row["found"] for row in part["rows"]] == [[1]] * 4


# The node tests.


@pytest.mark.parametrize("cell", ["lstm", "gru", "gru_reset_before"])
def test_right_kernels_pass_the_node_tests_and_a_missing_tanh_does_not(beside, cell):
    pytest.importorskip("onnx")
    nodes = beside["node_tests"]
    cases = nodes.node_tests(cell)
    refused = [case.name for case in cases if not nodes.passes(case, kernel(cell))]
    assert len(cases) >= 5
    assert refused == (["test_gru_seq_length"] if cell == "gru" else [])
    text = str(derive.load(cell)).replace("tanh(", "(")
    other = kernel_from_source(derive.numpy_source(derive.backpropagate(derive.parse(text, cell))))
    assert not any(nodes.passes(case, other) for case in cases)


# Detection.


def test_an_error_is_in_one_entry_and_as_large_as_said(beside):
    trials, layers = beside["trials"], beside["layers"]
    cell, inner = derive.load("lstm"), kernel("lstm")
    found = set()
    for seed in range(12):
        defect = trials.Defect.of(cell, seed)
        off = trials.Off(inner, defect, 1e-3, {})
        made = [layers.layer(cell, k, layers.USES["all"], seed) for k in (inner, off)]
        results, kept = zip(*(m.forward(*m.arrays.values()) for m in made), strict=True)
        assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))
        ones = [np.ones_like(a) for a in results[0]]
        right, wrong = (m.backward(k, ones) for m, k in zip(made, kept, strict=True))
        ratios = np.concatenate([np.ravel(b / a) for a, b in zip(right, wrong, strict=True)])
        assert np.count_nonzero(ratios != 1) == 1
        assert ratios.max() == pytest.approx(1.001, rel=1e-12)
        found.add(defect.parameter)
    assert len(found) > 5


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_examples_are_those_of_a_run(beside, dtype):
    trials, cell, labels = beside["trials"], derive.load("lstm"), []
    limits = beside["detection"].limits_of(dtype)

    class Known:  # whose outcome is known is not judged again
        def find(self, label):
            labels.append(label)
            return Outcome((), (), {}, ())

    off = trials.Off(kernel("lstm"), trials.Defect("W_f", 0.0), 0.0, {}, limits)
    run(cell, off, seed=3, journal=Known())
    found = trials.Run.of(cell, 3, limits)
    assert [e.label for e in found.examples] == labels
    assert len(labels) == 60
    assert all(sizes_of(e) for e in found.examples)
    if dtype == "float32":
        assert {e.dtype for e in found.examples} == {np.dtype(dtype)}


def test_rows_of_a_run_find_an_error_and_accuse_nothing_right(beside):
    detection = beside["detection"]
    assert {*detection.OWN, detection.COMPLEX} <= {row.name for row in PROPERTIES}
    finders = dict(detection.finders("float64", 0, ["differences"]))
    assert list(finders) == [
        "verify, derived",
        "verify, own forward",
        "verify, complex",
        "differences",
    ]
    assert finders["verify, derived"](1e-9)
    assert finders["verify, own forward"](1e-5)
    assert not finders["verify, derived"](0.0)


def test_after_two_that_are_missed_smaller_sizes_are_not_tried(beside):
    tried = []

    def found(size):
        tried.append(size)
        return size in (1, 3)

    assert beside["detection"].share(found, (1, 2, 3, 4, 5, 6)) == [True, False, True] + [False] * 3
    assert tried == [1, 2, 3, 4, 5]


# What the page shows is what was found.


def test_tables_of_the_page_are_those_of_the_results(beside):
    report = beside["report"]
    text = report.PAGE.read_text(encoding="utf-8")
    assert report.renewed(text) == text, "run python docs/beside/report.py"
    lie = text.replace("| ONNX node tests | forward alone |", "| ONNX node tests | all | 7 |")
    assert lie != text
    assert report.renewed(lie) == text
    assert text.count("<!-- results: ") == len(report.PARTS)


def test_the_picture_shows_these_results(beside):
    report = beside["report"]
    assert report.digest().encode() in report.PICTURE.read_bytes(), "run docs/beside/report.py"


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_results_are_of_the_mutants_that_the_catalogue_has(killed, benches, cell):
    bench = benches[cell]
    made = {
        (m.deviation.name, m.variant.label): m for m in mutants_of(bench.library, killed["each"])
    }
    recorded = {(r["kind"], r["variant"]) for r in killed["cells"][cell]["mutants"]}
    assert recorded <= set(made)  # which may have grown since
    assert not any(bench.changes_nothing(made[key]) for key in sorted(recorded)[::10])
    assert len(recorded) > 100


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("number", [3, 51])
def test_recorded_mutants_are_killed_as_recorded(beside, killed, benches, cell, number):
    record, bench = killed["cells"][cell]["mutants"][number], benches[cell]
    (mutant,) = (
        m
        for m in mutants_of(bench.library, killed["each"])
        if (m.deviation.name, m.variant.label) == (record["kind"], record["variant"])
    )
    make = partial(kernel_of, mutant.variant.model)
    assert beside["mutants"].group(bench, mutant) == record["group"]
    assert bool(bench.failures(make(), first=True)) == bool(record["verify"])
    missing = beside["checkers"].missing()
    names = () if "torch" in missing else ("gradcheck", "gradcheck, fast")
    found = beside["mutants"].Beside(bench, names, ()).found(make)
    for use, said in record["found"].items():
        assert found[use] == [name for name in said if name in names], use


def test_what_the_page_says_in_words_of_mutants_is_so(killed):
    for cell in killed["cells"].values():
        assert all(record["verify"] for record in cell["mutants"])  # verify kills all
        assert not any(cell["right"].values())  # nobody accuses the right kernel
        for record in cell["mutants"]:  # a gradient grossly wrong is seen by asking in every way
            assert record["group"] != "gradient" or any(record["found"].values())


def test_gradcheck_is_as_tight_as_it_may_be(beside, detected):
    for dtype, part in detected["dtypes"].items():
        tried = {r["tolerance"]: r["eps"] for r in part["tightest"] if r["tolerance"] is not None}
        taken = beside["checkers"].TIGHT[dtype]
        assert detected["tight"][dtype] == taken
        least = min(tried)
        assert taken == {
            "eps": tried[least],
            "atol": least,
            "rtol": least,
        }  # the larger step of two
        assert least / 10 == pytest.approx(
            next(t for t in beside["detection"].TOLERANCES[dtype] if t < 0.5 * least)
        )


def rates(detected, dtype):
    part = detected["dtypes"][dtype]
    return {
        row["name"]: {
            f"{size:.0e}": count / detected["trials"]
            for size, count in zip(part["sizes"], row["found"], strict=True)
        }
        for row in part["rows"]
    }


def test_what_the_page_says_in_words_of_sizes_is_so(detected):
    wide, narrow = rates(detected, "float64"), rates(detected, "float32")
    assert wide["verify, derived"]["1e-09"] == 1
    assert wide["verify, own forward"]["1e-05"] == 1
    assert narrow["verify, derived"]["1e-04"] == 1
    assert wide["gradcheck"]["1e-03"] == 0  # its defaults miss a thousandth every time
    assert wide["gradcheck, fast"]["1e-01"] < 1  # and the fast mode a tenth at times
    assert max(wide["chex"].values()) == 0
    for part in detected["dtypes"].values():
        verify = [row for row in part["rows"] if row["name"].startswith("verify")]
        assert not any(row["right"] for row in verify)
    accused = {r["name"] for r in detected["dtypes"]["float32"]["rows"] if r["right"]}
    assert accused == {"gradcheck", "gradcheck, fast", "differences"}
