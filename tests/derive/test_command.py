"""`derive` as it is typed: exit codes, streams, JSON documents, repeatable bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from core import CORE

from derive.__main__ import main
from derive.claim import Claim
from derive.zoo import names

HEAVY = {"sympy", "numpy", "hypothesis", "pytest", "torch", "jax", "keras", "onnx", "matplotlib"}
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

Capture = pytest.CaptureFixture[str]


def typed(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "derive", *arguments],
        capture_output=True,
        text=True,
        env={**ENVIRONMENT, **more},
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("cell", "code"),
    [("lstm", 0), ("rnn", 0), ("gru", 0), ("gru_reset_before", 0), ("peephole_lstm", 1)],
)
def test_prove_exits_with_1_where_a_claim_that_should_hold_fails(
    cell: str, code: int, capsys: Capture
) -> None:
    assert main(["prove", cell]) == code
    out, err = capsys.readouterr()
    assert out.startswith(f"{cell}: ")
    assert err == ""
    assert (", 0 refuted, " in out) == (code == 0)


def test_prove_exits_with_3_where_a_claim_is_not_decided(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def claims(verdict: str) -> tuple[Claim, ...]:
        proved = Claim("a", "", "", "proved", "decided", "", "", "")
        return (proved, Claim("b", "", "", verdict, "", "", "", ""))

    monkeypatch.setattr("derive.proofs.prove", lambda g: claims("not decided"))
    assert main(["prove", "rnn"]) == 3
    monkeypatch.setattr("derive.proofs.prove", lambda g: claims("does not apply"))
    assert main(["prove", "rnn"]) == 0
    both = (*claims("not decided"), *claims("refuted"))
    monkeypatch.setattr("derive.proofs.prove", lambda g: both)
    assert main(["prove", "rnn"]) == 1


def test_list_in_json_has_the_promised_keys(capsys: Capture) -> None:
    assert main(["list", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["version"] == 1
    assert [row["name"] for row in document["cells"]] == list(names())
    promised = {"name", "states", "gates", "parameters", "path_jacobian", "source"}
    for row in document["cells"]:
        assert promised <= set(row)
        assert all(isinstance(row[key], str) for key in ("name", "path_jacobian", "source"))
        for key in ("states", "gates", "parameters"):
            assert all(isinstance(item, str) for item in row[key])
    lstm = next(row for row in document["cells"] if row["name"] == "lstm")
    assert lstm["path_jacobian"] == "dC_t/dC_{t-1} = diag(f_t)"
    assert lstm["parameters"] == [f"{p}_{gate}" for gate in "fiog" for p in "WUb"]


@pytest.mark.parametrize("cell", CORE)
def test_show_in_json_has_the_promised_keys(cell: str, capsys: Capture) -> None:
    assert main(["show", cell, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["version"] == 1
    assert {"name", "inputs", "states", "parameters", "equations"} <= set(document)
    assert document["name"] == cell
    for kind in ("inputs", "states", "parameters"):
        for row in document[kind]:
            assert set(row) == {"name", "shape"}
            assert all(size in ("n", "m") or isinstance(size, int) for size in row["shape"])
    shapes = {row["name"]: row["shape"] for row in document["parameters"]}
    square = "U" if cell == "rnn" else "U_g"
    assert shapes[square] == ["n", "n"]
    assert shapes[square.replace("U", "W")] == ["n", "m"]
    assert shapes[square.replace("U", "b")] == ["n"]


def test_prove_in_json_has_the_promised_keys(capsys: Capture) -> None:
    assert main(["prove", "lstm", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["version"] == 1
    for claim in document["claims"]:
        assert {"name", "level", "verdict", "hypotheses", "source"} <= set(claim)
        assert claim["verdict"] in {"proved", "refuted", "does not apply"}
        level = "kernel-checked" if claim["coq"] else "decided"
        assert claim["level"] == ("" if claim["verdict"] == "does not apply" else level)


@pytest.mark.parametrize("command", ["latex", "numpy"])
def test_a_text_goes_to_standard_output_or_to_a_file(
    command: str, capsys: Capture, tmp_path: Path
) -> None:
    assert main([command, "rnn"]) == 0
    text = capsys.readouterr().out
    assert main([command, "rnn", "-o", "-"]) == 0
    assert capsys.readouterr().out == text
    place = tmp_path / "file"
    assert main([command, "rnn", "-o", str(place)]) == 0
    assert capsys.readouterr() == ("", "")
    assert place.read_bytes() == text.encode()


@pytest.mark.parametrize("command", ["latex", "numpy"])
def test_in_json_a_text_is_in_the_document_or_its_file_is(
    command: str, capsys: Capture, tmp_path: Path
) -> None:
    main([command, "rnn"])
    text = capsys.readouterr().out
    assert main([command, "rnn", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"version": 1, "cell": "rnn", "text": text}
    place = str(tmp_path / "file")
    assert main([command, "rnn", "--json", "-o", place]) == 0
    assert json.loads(capsys.readouterr().out) == {"version": 1, "cell": "rnn", "file": place}


def test_all_writes_a_folder_and_says_what_it_found(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["all", "rnn"]) == 0
    out = capsys.readouterr().out
    assert "largest relative error" in out
    assert (tmp_path / "out" / "rnn" / "rnn.py").is_file()
    assert main(["all", "rnn", "-o", "there", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["version"] == 1
    assert all((tmp_path / place).is_file() for place in document["files"].values())
    assert {c["name"]: c["verdict"] for c in document["claims"]}["gradients"] == "proved"


def test_all_of_a_cell_whose_claim_fails_exits_with_1(capsys: Capture, tmp_path: Path) -> None:
    assert main(["all", "peephole_lstm", "-o", str(tmp_path)]) == 1


BAD = [
    (["prove", "no_cell"], "'no_cell' is neither a cell of the zoo (`derive list` shows"),
    (["show", "/nowhere/mine.cell"], "'/nowhere/mine.cell' is neither a cell"),
    (["show", "."], "'.' is neither a cell of the zoo"),
    (["show", "bad.cell"], "bad.cell: line 3: "),
    (["latex", "rnn", "-o", "/nowhere/file"], "cannot write '/nowhere/file': No such file"),
    (["numpy", "rnn", "-o", "."], "cannot write '.': Is a directory"),
    (["all", "rnn", "-o", "bad.cell"], "cannot write into 'bad.cell': File exists"),
    (["all", "rnn", "-o", "-"], "'all' writes several files: name a folder, not '-'"),
    (["prove"], "the following arguments are required: CELL (try `derive prove --help`)"),
    (["prove", "rnn", "--nonsense"], "unrecognized arguments: --nonsense"),
    (["prove", "rnn", "-o", "file"], "unrecognized arguments: -o file"),
    (["latex", "rnn", "-o"], "expected one argument"),
    (["frobnicate"], "invalid choice: 'frobnicate'"),
    ([], "the following arguments are required: COMMAND"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD, ids=[" ".join(a) or "none" for a, _ in BAD])
def test_bad_input_is_one_line_on_standard_error_and_exit_code_2(
    arguments: list[str],
    said: str,
    capsys: Capture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "bad.cell").write_text("input x[m]\nstate h[n]\nh = open(x)\n")
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("derive: ")
    assert said in err
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bad.cell"]


def test_a_hostile_file_is_refused_in_one_line_and_nothing_runs(tmp_path: Path) -> None:
    proof = tmp_path / "executed"
    text = f"input x[m]\nstate h[n]\nh = __import__('os').system('touch {proof}')\n"
    (tmp_path / "mine.cell").write_text(text)
    for command in ("numpy", "all"):
        done = typed(command, str(tmp_path / "mine.cell"))
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        assert "mine.cell: line 3: " in done.stderr
    assert not proof.exists()


def test_our_own_failure_is_one_line_and_exit_code_4(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(g: object) -> None:
        raise RuntimeError("not\nexpected")

    monkeypatch.setattr("derive.proofs.prove", broken)
    assert main(["prove", "rnn"]) == 4
    assert capsys.readouterr().err == "derive: our own failure: RuntimeError: not expected\n"


def test_standard_output_that_takes_fewer_letters_is_told_in_one_line(tmp_path: Path) -> None:
    text = '"""Caf\u00e9."""\ninput x[m]\nstate h[n]\nh = tanh(W @ x + U @ h[t-1])\n'
    (tmp_path / "mine.cell").write_text(text, encoding="utf-8")
    done = typed("show", str(tmp_path / "mine.cell"), PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert done.stderr == (
        "derive: standard output takes ascii alone: set PYTHONIOENCODING=utf-8, or use -o\n"
    )


@pytest.mark.parametrize("command", ["latex", "numpy"])
def test_the_same_cell_gives_the_same_bytes_whatever_the_hash_seed(command: str) -> None:
    first, second = (typed(command, "lstm", PYTHONHASHSEED=seed) for seed in ("1", "20"))
    assert first.returncode == second.returncode == 0
    assert first.stderr == second.stderr == ""
    assert len(first.stdout) > 5_000
    assert first.stdout == second.stdout


@pytest.mark.parametrize("arguments", [["list"], ["show", "rnn", "--json"], ["latex", "rnn"]])
def test_a_reader_that_had_enough_gets_no_traceback(arguments: list[str]) -> None:
    """As `derive list | head -1` does, but the reader is gone before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "derive", *arguments],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", [["--help"], ["prove", "--help"], ["prove"], ["frobnicate"]])
def test_help_and_usage_errors_import_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom derive.__main__ import main\n"
        f"code = main({arguments!r})\n"
        "print(code, *(module.partition('.')[0] for module in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=ENVIRONMENT, check=True
    )
    code, *imported = done.stdout.splitlines()[-1].split()
    assert code == ("0" if "--help" in arguments else "2")
    assert "argparse" in imported
    assert not HEAVY & set(imported)


def test_help_lists_the_commands_and_the_exit_codes() -> None:
    done = typed("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for command in ("list", "show", "prove", "latex", "numpy", "all"):
        assert f"    {command} " in done.stdout
    assert "0 holds, 1 refuted, 2 usage" in " ".join(done.stdout.split())


def test_a_module_and_a_process_say_the_same(capsys: Capture) -> None:
    done = typed("list")
    assert main(["list"]) == done.returncode == 0
    assert capsys.readouterr().out == done.stdout
