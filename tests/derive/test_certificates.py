"""Certificates: what is written is found right again by a checker that shares nothing with it."""

import ast
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from certified import certified, reasons
from core import CORE

from derive.__main__ import main
from derive.certificates.checker import check, digest
from derive.certificates.claims import KINDS, RIGHT, UNDECIDED, VOID
from derive.theorems import THEOREMS
from derive.zoo import load, names

ROOT = Path(__file__).parents[2]
CHECKER = sorted(
    path for path in (ROOT / "derive/certificates").glob("*.py") if path.stem != "writer"
)
SAMPLE = (*CORE, "gla", "mlstm_code", "lstm_concatenated", "softmax_readout", "phased_lstm")


def assert_right(name: str) -> None:
    document = certified(name)
    found = list(check(document))
    assert reasons(document) == ""
    assert {f.outcome for f in found} <= {RIGHT, VOID, UNDECIDED}, found
    assert {f.claim for f in found} == set(KINDS)
    written = [c["verdict"] for c in document["cells"][0]["claims"]]
    undecided = [f.outcome for f in found].count(UNDECIDED)
    assert undecided == written.count("not decided")


@pytest.mark.parametrize("name", SAMPLE)
def test_every_claim_is_found_right_again(name: str) -> None:
    assert_right(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in names() if name not in SAMPLE])
def test_every_claim_is_found_right_again_for_the_rest_of_the_zoo(name: str) -> None:
    assert_right(name)


def test_the_lstm_is_checked_in_less_than_a_second() -> None:
    document = certified("lstm")
    start = time.perf_counter()
    assert len(list(check(document))) >= len(KINDS)
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("name", CORE)
def test_the_digest_is_that_of_the_cells_text(name: str) -> None:
    (cell,) = certified(name)["cells"]
    assert cell["text"] == str(load(name))
    assert cell["digest"] == digest(str(load(name)))


def test_the_checker_knows_the_rows_that_it_rechecks() -> None:
    rows = {t.name: (t.hypotheses, t.should_hold, t.optional) for t in THEOREMS}
    own = {k: (row["hypotheses"], row["holds"], row["optional"]) for k, row in KINDS.items()}
    assert rows == own


def test_the_checker_imports_pythons_own_library_and_itself() -> None:
    for path in CHECKER:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                modules += [f"{node.module}.{a.name}" for a in node.names]
            for module in modules:
                own = module.startswith("derive.certificates.") and "writer" not in module
                assert (
                    own
                    or module.startswith("derive.errors.")
                    or module.split(".")[0] in sys.stdlib_module_names
                )


def test_no_sympy_is_loaded_when_a_certificate_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "lstm.json"
    file.write_text(json.dumps(certified("lstm")), encoding="utf-8")
    program = (
        "import sys\n"
        "sys.modules['sympy'] = sys.modules['numpy'] = None\n"
        "from derive.__main__ import main\n"
        f"code = main(['check', {str(file)!r}])\n"
        "print(sorted(m for m in sys.modules if m.startswith('derive.')))\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *_, said, loaded = done.stdout.splitlines()
    assert said.endswith("do not apply")
    assert all(
        name.startswith(("derive.certificates", "derive.commands"))
        or name in ("derive.errors", "derive.__main__")
        for name in ast.literal_eval(loaded)
    )


def test_the_command_writes_a_certificate_and_checks_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rnn.json"
    assert main(["prove", "rnn", "--json", str(file)]) == 0
    assert "derive check" in capsys.readouterr().out
    assert main(["check", str(file), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["verdict"] == "right"
    assert {f["claim"] for f in said["findings"]} == set(KINDS)


def test_a_certificate_of_a_network_has_each_of_its_cells_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "network.json"
    assert main(["prove", "lstm_classifier", "--json", str(file)]) == 0
    document = json.loads(file.read_text(encoding="utf-8"))
    assert [cell["name"] for cell in document["cells"]] == ["lstm", "softmax_last_readout"]
    assert main(["check", str(file)]) == 0
    assert ", 0 wrong," in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["rnn", "--json"], ["--json", "rnn"]])
def test_json_without_a_file_stays_on_standard_output(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prove", *arguments]) == 0
    assert json.loads(capsys.readouterr().out)["cell"] == "rnn"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is not JSON"),
        ("{", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "expected the keys"),
        ("{}", "expected the keys"),
        ('{"seal": 1, "seal": 2}', "a key stands twice"),
        ("NaN", "expected the keys"),
        ("\ud800", ""),
    ],
)
def test_what_is_no_certificate_is_a_bad_file(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.json"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert main(["check", str(file)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


def test_a_file_that_does_not_open_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "no_such_file.json"]) == 2
    assert "no file that opens" in capsys.readouterr().err


def test_prove_without_a_cell_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove"]) == 2
    assert "required: CELL" in capsys.readouterr().err
