"""Vectors of cells: what is in a file, that it repeats, and that it judges rightly."""

import json
import shutil
import subprocess
import time
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from emitted import kernel_of

from derive import zoo
from derive.errors import UsageError
from verify.__main__ import main
from verify.references import reference_kernel
from verify.vectors.formats import Vectors
from verify.vectors.judging import judge, judge_file, judge_kernel, run
from verify.vectors.making import make
from verify.vectors.storing import load, npz_of, to_json, to_npz

DOCS = Path(__file__).parents[2] / "docs"

# Vectors, two and three states, matrix states, an output that is no state of its own, no parameters.
CELLS = ("rnn", "lstm", "mlstm", "gated_delta_net", "lstm_projection", "running_mean")


@cache
def vectors_of(name: str) -> Vectors:
    return make(zoo.load(name))


@cache
def right_results(name: str):
    """Results of the emitted kernel, for each example."""
    kernel = kernel_of(zoo.load(name))
    return [run(vector, kernel) for vector in vectors_of(name).vectors]


def changed(name, example, result, entry, value):
    """The right results but for one entry."""
    results = [dict(r) for r in right_results(name)]
    array = np.array(results[example][result])
    array[entry] = value
    results[example][result] = array
    return results


@pytest.mark.parametrize("name", CELLS)
def test_emitted_kernels_are_right_by_vectors(name):
    judgement = judge(vectors_of(name), right_results(name))
    assert [str(o) for o in judgement.outside] == []
    assert judgement.missing == ()
    assert judgement.judged == sum(len(v.expected) for v in vectors_of(name).vectors)
    assert judgement.right


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_every_cell_of_the_zoo_has_vectors_by_which_it_is_right(name):
    vectors = vectors_of(name)
    judgement = judge_kernel(vectors, reference_kernel(zoo.load(name)))
    assert judgement.right, judgement.outside[:1]
    assert all(v.left_out or np.all(np.isfinite(v.bound["y"])) for v in vectors.vectors)


@pytest.mark.parametrize("name", ["lstm", "mlstm"])
def test_every_result_of_every_example_is_judged(name):
    vectors = vectors_of(name)
    for number, vector in enumerate(vectors.vectors):
        for result in vector.expected:
            entry = np.unravel_index(np.argmax(vector.bound[result]), vector.bound[result].shape)
            expected, bound = vector.expected[result][entry], vector.bound[result][entry]
            wrong = expected + 4 * bound + np.finfo(vector.dtype).eps * (abs(expected) + 1e-30)
            judgement = judge(vectors, changed(name, number, result, entry, wrong))
            assert [(o.example, o.name, o.index) for o in judgement.outside] == [
                (number, result, tuple(map(int, entry)))
            ]
            assert not judgement.right


def test_a_result_at_its_bound_is_right_and_one_beyond_is_wrong():
    vector = vectors_of("lstm").vectors[0]
    entry = (0, 0, 0)
    expected, bound = vector.expected["y"][entry], vector.bound["y"][entry]
    assert 0 < bound < 1e-13
    within = judge(vectors_of("lstm"), changed("lstm", 0, "y", entry, expected - 0.99 * bound))
    beyond = judge(vectors_of("lstm"), changed("lstm", 0, "y", entry, expected - 1.1 * bound))
    assert within.right
    assert [o.name for o in beyond.outside] == ["y"]


def test_the_examples_differ_in_all_that_implementations_get_wrong():
    vectors = vectors_of("lstm").vectors
    assert {1, 2, 3, 12} <= {v.sizes["T"] for v in vectors}
    assert {v.sizes["B"] for v in vectors} == {1, 2, 3}
    assert {v.dtype for v in vectors} == {"float32", "float64"}
    assert {v.sizes["n"] > v.sizes["m"] for v in vectors} == {True, False}
    assert all(v.sizes["n"] != v.sizes["m"] for v in vectors)
    ends = [set(v.given["lengths"] - v.sizes["T"]) for v in vectors]
    assert any(len(end) > 1 for end in ends)
    assert any(0 in v.given["lengths"] for v in vectors)
    for name in ("state_0/h", "state_0/C", "dstate_T/h", "dstate_T/C", "dy"):
        assert {bool(np.any(v.given[name])) for v in vectors} == {True, False}, name
    last_alone = [v for v in vectors if "last output" in v.label]
    assert all(v.given["dy"][-1].all() and not v.given["dy"][:-1].any() for v in last_alone)
    for word in ("unsaturated", "mixed", ", saturated", "weak", "first output", "final C"):
        assert any(word in v.label for v in vectors), word


def test_every_state_has_an_example_where_its_cotangent_is_the_only_one():
    for name in ("h", "C", "N"):
        alone = f"dstate_T/{name}"
        assert any(
            [k for k in v.given if k.startswith(("dstate_T", "dy")) and v.given[k].any()] == [alone]
            for v in vectors_of("mlstm").vectors
        ), name


def test_the_same_arguments_give_the_same_bytes_whatever_the_time(monkeypatch):
    cell = zoo.load("rnn")
    first = make(cell, seed=3, count=2)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    again = make(cell, seed=3, count=2)
    assert to_npz(first) == to_npz(again)
    assert to_json(first) == to_json(again)
    assert to_npz(make(cell, seed=4, count=2)) != to_npz(first)
    assert to_npz(replace(first, seed=4)) != to_npz(first)


def test_no_entry_of_the_archive_carries_a_time(tmp_path):
    path = tmp_path / "rnn.npz"
    path.write_bytes(to_npz(vectors_of("rnn")))
    with zipfile.ZipFile(path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.testzip() is None


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("ending", ["npz", "json"])
def test_what_is_written_is_read_again(name, ending, tmp_path):
    path, vectors = tmp_path / f"v.{ending}", vectors_of(name)
    path.write_bytes(to_npz(vectors) if ending == "npz" else to_json(vectors).encode())
    found = load(path)
    assert to_npz(found) == to_npz(vectors)
    assert to_json(found) == to_json(vectors)
    for ours, theirs in zip(vectors.vectors, found.vectors, strict=True):
        for part in ("given", "expected", "bound"):
            for key, array in getattr(ours, part).items():
                read = getattr(theirs, part)[key]
                assert (read.dtype, read.shape) == (array.dtype, array.shape)
                assert np.array_equal(read, array), key


def test_the_archive_is_read_by_numpy_alone(tmp_path):
    path = tmp_path / "lstm.npz"
    path.write_bytes(to_npz(vectors_of("lstm")))
    archive = np.load(path, allow_pickle=False)
    manifest = json.loads(archive["manifest"].tobytes())
    assert (manifest["format"], manifest["version"]) == ("recurrent-cell-vectors", 1)
    assert manifest["variables"]["states"] == [
        {"name": "h", "shape": ["n"]},
        {"name": "C", "shape": ["n"]},
    ]
    assert len(manifest["examples"]) == len(vectors_of("lstm").vectors)
    sizes = manifest["examples"][0]["sizes"]
    assert archive["0/given/inputs/x"].shape == (sizes["T"], sizes["B"], sizes["m"])
    assert archive["0/expected/grads/U_f"].shape == (sizes["n"], sizes["n"])
    assert archive["0/bound/y"].shape == archive["0/expected/y"].shape


def test_numbers_of_float32_are_exact_in_json():
    document = json.loads(to_json(vectors_of("rnn")))
    pairs = zip(document["examples"], vectors_of("rnn").vectors, strict=True)
    read = [(e, v) for e, v in pairs if e["dtype"] == "float32"]
    assert read
    for example, vector in read:
        W = vector.given["params/W"]
        assert W.dtype == np.float32
        assert np.array_equal(np.float32(example["given"]["params/W"]["data"]), W.ravel())


def test_the_digest_is_that_of_the_emitted_kernel():
    cell = zoo.load("gru")
    assert f"digest {make(cell, count=1).digest}" in kernel_of(cell).__doc__


def test_more_examples_than_rows_repeat_the_rows_with_other_values():
    vectors = make(zoo.load("irnn"), count=14).vectors
    assert len(vectors) == 14
    first, repeated = vectors[0], vectors[12]
    assert first.sizes["T"] == repeated.sizes["T"] == 3
    assert first.label != repeated.label


def test_what_rounding_leaves_too_little_of_is_left_out_and_not_judged():
    vectors = make(zoo.load("slstm_code"), count=1)
    vector = vectors.vectors[0]
    assert vector.left_out
    assert not set(vector.left_out) & set(vector.expected)
    assert all(np.all(np.isfinite(bound)) for bound in vector.bound.values())
    wrong = {name: np.zeros(1) for name in vector.left_out}
    assert judge(vectors, [wrong]).judged == 0
    assert not judge(vectors, [wrong]).right


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((1, 2)), "y has shape (1, 2), expected (3, 3, 2)"),
        (np.zeros((3, 3, 2), np.float32), "y is of float32, expected float64"),
        (np.full((3, 3, 2), np.nan), "y[0, 0, 0] is nan, expected "),
    ],
)
def test_a_result_of_another_kind_is_named(array, said):
    vectors = replace(vectors_of("rnn"), vectors=vectors_of("rnn").vectors[:1])
    found = judge(vectors, [{"y": array}])
    assert [f"example 0: {said}" in str(o) for o in found.outside] == [True]
    assert found.judged == 1


def test_what_is_not_given_is_not_judged():
    vectors = vectors_of("lstm")
    judgement = judge(vectors, [{"y": r["y"]} for r in right_results("lstm")])
    assert judgement.right
    assert judgement.judged == len(vectors.vectors)
    assert (0, "grads/W_f") in judgement.missing
    assert not judge(vectors, [{} for _ in vectors.vectors]).right


def test_results_in_a_file_are_judged(tmp_path):
    path = tmp_path / "results.npz"
    results = changed("rnn", 2, "grads/W", (0, 0), 9.0)
    pairs = [(f"{n}/{name}", a) for n, r in enumerate(results) for name, a in r.items()]
    path.write_bytes(npz_of(dict(pairs)))
    assert [(o.example, o.name) for o in judge_file(vectors_of("rnn"), path).outside] == [
        (2, "grads/W")
    ]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"0/state": np.zeros(1)}, "no result is called state"),
        ({"99/y": np.zeros(1)}, "99/y is of no example; there are 12"),
        ({"y": np.zeros(1)}, "y is of no example"),
    ],
)
def test_results_that_belong_to_nothing_are_refused(arrays, said, tmp_path):
    path = tmp_path / "results.npz"
    path.write_bytes(npz_of(arrays))
    with pytest.raises(UsageError, match=said):
        judge_file(vectors_of("rnn"), path)
    with pytest.raises(UsageError, match="results of 1 examples, expected 12"):
        judge(vectors_of("rnn"), [{}])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.npz", None, "does not open"),
        ("none.json", None, "does not open"),
        ("text.npz", b"text", "holds no vectors"),
        ("other.npz", npz_of({"a": np.zeros(2)}), "holds no vectors: KeyError"),
        ("other.json", b"[1]", "holds no vectors: TypeError"),
        ("text.json", b"{", "holds no vectors"),
        ("later.json", b'{"format": "recurrent-cell-vectors", "version": 2}', "of version 1, and"),
    ],
)
def test_a_file_without_vectors_is_refused_in_a_line(name, content, said, tmp_path):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=said) as error:
        load(path)
    assert "\n" not in str(error.value)


def test_the_command_writes_both_files(tmp_path, capsys):
    npz, document = tmp_path / "v.npz", tmp_path / "v.json"
    asked = ["vectors", "gru", "-o", str(npz), "--json", str(document), "--examples", "2"]
    assert main(asked) == 0
    assert capsys.readouterr().out.startswith("gru: 2 examples, ")
    assert to_json(load(npz)) == document.read_text()
    first = npz.read_bytes()
    assert main([*asked, "--seed", "1"]) == 0
    assert npz.read_bytes() != first
    assert main(asked) == 0
    assert npz.read_bytes() == first


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["rnn"], "nowhere to write to"),
        (["rnn", "-o", "v.json"], "-o takes a file that ends in .npz"),
        (["nothing", "-o", "v.npz"], "neither a cell of the zoo"),
        (["rnn", "-o", "/nowhere/v.npz"], "cannot be written"),
        (["rnn", "-o", "v.npz", "--seed", "-1"], "a seed from 0"),
        (["rnn", "-o", "v.npz", "--examples", "0"], "a seed from 0 and examples from 1"),
    ],
)
def test_the_command_says_in_a_line_what_it_cannot_do(asked, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["vectors", *asked]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "compiler", "right", "wrong"),
    [
        ("vectors_reader.cpp", ["g++", "-std=c++17", "-O1"], "U[i * n + j]", "U[j * n + i]"),
        ("vectors_reader.rs", ["rustc", "--edition", "2021"], "u[i * n + j]", "u[j * n + i]"),
    ],
)
def test_a_reader_in_another_language_tells_a_right_layer_from_a_wrong_one(
    name, compiler, right, wrong, tmp_path
):
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"{compiler[0]} is not installed")
    (tmp_path / "rnn.json").write_text(to_json(vectors_of("rnn")))
    text = (DOCS / name).read_text(encoding="utf-8")
    assert text.count(right) == 1
    said = []
    for source in (text, text.replace(right, wrong)):
        (tmp_path / name).write_text(source, encoding="utf-8")
        subprocess.run([*compiler, name, "-o", "reader"], cwd=tmp_path, check=True)
        done = subprocess.run(
            [tmp_path / "reader", "rnn.json"], cwd=tmp_path, capture_output=True, check=False
        )
        said.append((done.returncode, b"0 entries wrong" in done.stdout.splitlines()[-1]))
    assert said[0] == (0, True)
    assert said[1][0] == 1
