"""Every finding comes with a script that shows it again without this toolkit."""

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from derive.zoo import load
from verify.isolation import isolated
from verify.loading import load_implementation
from verify.properties.calling import Failure
from verify.report import reproduction
from verify.reports.files import write_scripts
from verify.reproduction import Call, Recorder, script
from verify.reproduction.literals import literal
from verify.reproduction.places import Place, find
from verify.runner import run

RNN = load("rnn")

# A right layer; each row of BROKEN changes one piece of it.
RIGHT = '''
import numpy as np

seen = []


def forward(params, x, state_0=None, *, lengths=None):
    W, U, b = params["W"], params["U"], params["b"]
    h = np.zeros((x.shape[1], len(b)), x.dtype) if state_0 is None else state_0["h"]
    ends = np.full(x.shape[1], len(x)) if lengths is None else np.asarray(lengths)
    y, steps = [], []
    for t in range(len(x)):
        live = (t < ends)[:, None]
        now = np.where(live, x[t], 0)
        new = np.tanh(now @ W.T + h @ U.T + b)
        steps.append((live, now, h, new))
        h = np.where(live, new, h)
        y.append(np.where(live, h, 0))
    y = np.array(y, x.dtype).reshape(len(x), *h.shape)
    return y, {"h": h.copy()}, (x, steps)


def backward(params, tape, dy=None, dstate_T=None):
    x, steps = tape
    grads = {k: np.zeros_like(v) for k, v in params.items()} | {"x": np.zeros_like(x)}
    dh = np.zeros((x.shape[1], len(params["b"])), x.dtype)
    dh = dh if dstate_T is None else dstate_T["h"]
    for t in reversed(range(len(steps))):
        live, now, h, new = steps[t]
        up = dh if dy is None else dh + dy[t]
        delta = np.where(live, up * (1 - new**2), 0)
        grads["W"] += delta.T @ now
        grads["U"] += delta.T @ h
        grads["b"] += delta.sum(axis=0)
        grads["x"][t] += delta @ params["W"]
        dh = np.where(live, delta @ params["U"], dh)
    return grads | {"h_0": dh}
'''

# name: (old, new, properties of which at least these fail)
BROKEN = {
    "gradient": ("delta.sum(axis=0)", "1.5 * delta.sum(axis=0)", {"gradients", "differences"}),
    "value": ("h @ U.T", "h @ U", {"values"}),
    "batch": ("delta.T @ h\n", "delta.T @ h / x.shape[1]\n", {"batch gradients"}),
    "chaining": (
        "    ends = np.full",
        "    h = h * (len(x) > 1)\n    ends = np.full",
        {"chaining"},
    ),
    "padding": ("live = (t < ends)", "live = (t < ends + 99)", {"padding", "lengths"}),
    "NaN": ("np.where(live, x[t], 0)", "x[t] * live", {"NaN padding"}),
    "memory": (
        "    y, steps = [], []",
        "    h = h + len(seen)\n    seen.append(0)\n    y, steps = [], []",
        {"second run"},
    ),
    "tape": ("reversed(range(len(steps)))", "reversed(range(len(steps)))", set()),
    "once": (
        "        live, now, h, new = steps[t]",
        "        live, now, h, new = steps.pop()",
        {"second backward"},
    ),
    "writes": ("    y, steps = [], []", "    y, steps = [], []\n    x *= 2", {"arguments kept"}),
    "writes back": (
        "    return grads |",
        "    params['W'] += 1\n    return grads |",
        {"arguments kept backward"},
    ),
    "raises": ("    y, steps = [], []", "    1 / (x.shape[1] - 1)\n    y, steps = [], []", {"runs"}),
    "shape": ('{"h_0": dh}', '{"h_0": dh.T}', {"shapes backward"}),
    "dtype": ("return y, {", "return y.astype(float), {", {"dtype"}),
    "strides": (
        "    ends = np.full",
        "    x = np.frombuffer(x.tobytes('K'), x.dtype).reshape(x.shape)\n    ends = np.full",
        {"strides"},
    ),
    "clipping": ("dh + dy[t]\n", "np.clip(dh + dy[t], -2, 2)\n", {"linearity"}),
    "prints": ("    y, steps = [], []", "    y, steps = [], []\n    np.seterr(all='ignore')", set()),
}
# What BROKEN's rows of no change are for: nothing may be found.
UNCHANGED = {"tape"}


def layer(folder: Path, name: str) -> Path:
    old, new, _ = BROKEN[name]
    assert RIGHT.count(old) == 1
    path = folder / "layer.py"
    path.write_text(RIGHT.replace(old, new))
    return path


def shown(path: Path) -> subprocess.CompletedProcess[str]:
    """Run a script where neither package of the toolkit can be imported."""
    code = (
        "import sys, runpy; sys.modules['verify'] = sys.modules['derive'] = None; "
        f"runpy.run_path({str(path)!r}, run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd="/", capture_output=True, text=True, check=False
    )


def numbers(said: str) -> dict[str, float]:
    found = re.findall(r"^(got|expected|allowed) +(\S+)$", said, re.MULTILINE)
    return {name: float(value) for name, value in found}


@pytest.mark.parametrize("name", BROKEN)
def test_a_script_shows_what_the_finding_says(name: str, tmp_path: Path) -> None:
    path = layer(tmp_path, name)
    with isolated(str(path)) as kernel:
        report = run(RNN, kernel, examples=20, implementation=str(path))
    assert {f.property for f in report.findings} >= BROKEN[name][2]
    assert bool(report.findings) is (name not in UNCHANGED)
    scripts = write_scripts(report, tmp_path / "out")
    assert len(scripts) == len(report.findings)
    for finding, file in zip(report.findings, scripts, strict=True):
        done = shown(file)
        said = f"{file.read_text()}\n{done.stdout}\n{done.stderr}"
        if "raised" in finding.cause:
            raised = re.search(r"raised (\w+)", finding.cause)
            assert raised is not None
            assert done.returncode == 1, said
            assert raised[1] in done.stderr
            continue
        assert done.returncode == 0, said
        if finding.index is not None:
            found = numbers(done.stdout)
            assert math.isclose(found["got"], finding.got, rel_tol=0, abs_tol=0) or (
                math.isnan(found["got"]) and math.isnan(finding.got)
            ), said
            assert found["expected"] == finding.expected, said
            assert not abs(found["got"] - found["expected"]) <= found["allowed"], said
        elif finding.property.startswith("arguments kept"):
            got, expected = re.findall(r"^(?:got|expected) +(.*)$", done.stdout, re.MULTILINE)
            assert got != expected
