"""Vectors as files and from the command line, and readers in other languages."""

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

from derive import zoo
from derive.errors import UsageError
from verify.__main__ import main
from verify.references import reference_kernel
from verify.vectors.formats import Vectors
from verify.vectors.judging import judge, judge_file, run
from verify.vectors.making import make
from verify.vectors.storing import load, npz_of, to_json, to_npz

DOCS = Path(__file__).parents[2] / "docs"


@cache
def vectors_of(name: str) -> Vectors:
    return make(zoo.load(name))


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


@pytest.mark.parametrize("name", ["rnn", "mlstm", "running_mean"])
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


def test_results_in_a_file_are_judged(tmp_path):
    path = tmp_path / "results.npz"
    kernel = reference_kernel(zoo.load("rnn"))
    results = [run(vector, kernel) for vector in vectors_of("rnn").vectors]
    results[2]["grads/W"][0, 0] = 9.0
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
    found = shutil.which(compiler[0])
    if not found or subprocess.run([found, "--version"], capture_output=True).returncode:
        pytest.skip(f"{compiler[0]} is not installed, or does not start")
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
