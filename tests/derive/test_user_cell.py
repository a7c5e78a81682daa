"""A cell that the zoo does not know, in a file of its user, goes all the way through the commands.

The cell is the minimal gated unit of Zhou, Wu, Zhang & Zhou (2016), arXiv:1603.09420, with its
concatenated weights as printed there.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from spoilt_source import negated

from derive.__main__ import main as derive
from verify.__main__ import main as verify
from verify.loading import load_implementation

CELL = '''"""Minimal gated unit.
Source: Zhou, Wu, Zhang & Zhou (2016), arXiv:1603.09420."""
input x[m]
state h[n]

f = sigmoid(W_f @ [h[t-1], x] + b_f)
g = tanh(W_h @ [f * h[t-1], x] + b_h)
h = (1 - f) * h[t-1] + f * g
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.cell").write_text(CELL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def kernel(folder: Path) -> Path:
    assert derive(["numpy", "mine.cell", "-o", "k.py"]) == 0
    return folder / "k.py"


def test_its_theorems_are_proved(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert derive(["prove", "mine.cell"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("mine: Minimal gated unit\n")
    assert "[proved, decided] gradients\n" in out
    assert "dh_t/dh_{t-1} = diag(1 - f_t), gates and candidates held fixed" in out
    assert " proved, 0 refuted, " in out


def test_it_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert derive(["show", "mine.cell", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["name"] == "mine"
    assert {p["name"]: p["shape"] for p in document["parameters"]} == {
        "W_f": ["n", "m + n"],
        "b_f": ["n"],
        "W_h": ["n", "m + n"],
        "b_h": ["n"],
    }


def test_its_article_is_complete(folder: Path) -> None:
    assert derive(["latex", "mine.cell", "-o", "mine.tex"]) == 0
    tex = (folder / "mine.tex").read_text()
    assert "Minimal gated unit" in tex
    assert "arXiv:1603.09420" in tex.replace(r"\allowbreak{}", "")
    assert tex.rstrip().endswith(r"\end{document}")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_its_article_compiles(folder: Path) -> None:
    assert derive(["latex", "mine.cell", "-o", "mine.tex"]) == 0
    for _ in range(2):
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "mine.tex"],
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, "max_print_line": "1000"},
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:]
    log = (folder / "mine.log").read_text(errors="replace")
    assert not re.search(r"LaTeX Warning|undefined", log)


def test_its_kernel_checks_itself_and_needs_numpy_alone(kernel: Path) -> None:
    paths = {"PYTHONPATH": str(kernel.parent)}  # this toolkit is not on it
    done = subprocess.run(
        [sys.executable, "k.py"],
        capture_output=True,
        text=True,
        env={**{k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, **paths},
        check=True,
    )
    error = re.search(r"mine: largest relative error ([\d.e+-]+)", done.stdout)
    assert error
    assert float(error[1]) < 1e-8
    imported = set(re.findall(r"^import (\w+)", kernel.read_text(), re.MULTILINE))
    assert imported == {"numpy", "sys"}


def test_its_kernel_computes_the_equations_as_they_are_printed(kernel: Path) -> None:
    random = np.random.default_rng(3)
    n, m, steps, batch = 4, 3, 5, 2
    shapes = {"W_f": (n, n + m), "b_f": (n,), "W_h": (n, n + m), "b_h": (n,)}
    p = {name: random.normal(size=shape) for name, shape in shapes.items()}
    x, h_0 = random.normal(size=(steps, batch, m)), random.normal(size=(batch, n))
    y, state_T, _ = load_implementation("k.py").forward(p, x, {"h": h_0})
    for b in range(batch):
        h = h_0[b]
        for t in range(steps):
            f = 1 / (1 + np.exp(-(p["W_f"] @ np.concatenate((h, x[t, b])) + p["b_f"])))
            g = np.tanh(p["W_h"] @ np.concatenate((f * h, x[t, b])) + p["b_h"])
            h = (1 - f) * h + f * g
            np.testing.assert_allclose(y[t, b], h, rtol=1e-12)
        np.testing.assert_array_equal(state_T["h"][b], y[-1, b])


def test_its_kernel_is_verified(kernel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(["run", "mine.cell", "k.py", "--examples", "12"]) == 0
    assert capsys.readouterr().out.startswith("right: k.py is mine in all that was judged\n")


@pytest.mark.parametrize("parameter", ["W_h", "b_f"])
def test_a_broken_copy_of_its_kernel_is_found_out_by_the_parameter(
    kernel: Path, capsys: pytest.CaptureFixture[str], parameter: str
) -> None:
    right = kernel.read_text()
    broken = negated(right, parameter)
    changed = [a for a, b in zip(right.splitlines(), broken.splitlines(), strict=True) if a != b]
    assert len(changed) == 1
    (kernel.parent / "broken.py").write_text(broken)
    assert verify(["run", "mine.cell", "broken.py", "--examples", "12", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "wrong"
    assert {f["parameter"] for f in document["findings"]} == {parameter}
    assert "gradients" in {f["property"] for f in document["findings"]}


def test_everything_about_it_is_written_with_one_command(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert derive(["all", "mine.cell"]) == 0
    out = capsys.readouterr().out
    assert "verify run mine.cell out/mine/mine.py" in out
    assert {path.suffix for path in (folder / "out" / "mine").iterdir()} == {".py", ".tex", ".txt"}
