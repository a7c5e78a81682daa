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
from verify.report import Finding, Report, reproduction
from verify.reports.files import write_scripts
from verify.reproduction import Call, Recorder, script
from verify.reproduction.literals import literal
from verify.reproduction.places import Place, find
from verify.runner import run
from verify.strategies import make_example

RNN = load("rnn")

# A right layer; each row of BROKEN changes one piece of it.
RIGHT = """
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
"""

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
    "NaN": ("np.where(live, x[t], 0)", "x[t] * live", {"NaN padding gradients"}),
    "memory": (
        "    y, steps = [], []",
        "    h = h + len(seen) % 3\n    seen.append(0)\n    y, steps = [], []",
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
    "raises": (
        "    y, steps = [], []",
        "    1 / (x.shape[1] - 1)\n    y, steps = [], []",
        {"runs"},
    ),
    "shape": ('{"h_0": dh}', '{"h_0": dh.T}', {"shapes backward"}),
    "dtype": ("return y, {", "return y.astype(float), {", {"dtype"}),
    "strides": (
        "    ends = np.full",
        "    x = x.ravel('K').reshape(x.shape)\n    ends = np.full",
        {"strides"},
    ),
    "clipping": ("dh + dy[t]\n", "np.clip(dh + dy[t], -2, 2)\n", {"linearity"}),
    "seterr": (
        "    y, steps = [], []",
        "    y, steps = [], []\n    np.seterr(all='ignore')",
        set(),
    ),
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
def test_a_script_shows_what_the_finding_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verify.runner.SHRINK_SECONDS", 0.4)
    path = layer(tmp_path, name)
    if name == "seterr":
        with isolated(str(path)) as kernel:
            report = run(RNN, kernel, examples=4, implementation=str(path))
    else:
        report = run(RNN, load_implementation(str(path)), examples=14, implementation=str(path))
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
            off = abs(found["got"] - found["expected"])
            if name == "memory":  # what came before is not the same in a process of its own
                assert "results depend on what ran before" in file.read_text()
                assert finding.property != "second run" or off > found["allowed"], said
                continue
            assert found["expected"] == finding.expected, said
            assert found["got"] == finding.got or math.isnan(found["got"] + 0 * finding.got), said
            assert not off <= found["allowed"], said
        elif finding.property.startswith("arguments kept"):
            got, expected = re.findall(r"^(?:got|expected) +(.*)$", done.stdout, re.MULTILINE)
            assert got != expected


def test_large_arrays_lie_in_a_file_beside_the_script(tmp_path: Path) -> None:
    kernel = Recorder(load_implementation(str(layer(tmp_path, "value"))))
    example = make_example(RNN, steps=9, batch=3, sizes={"n": 4, "m": 5}, seed=0)
    y, *_ = kernel.forward(example.params, example.x, example.state_0)
    entry = float(y[8, 2, 3])
    failure = Failure("y", "differs", (8, 2, 3), entry, 0.25, 1e-15)
    file = str(tmp_path / "layer.py")
    large = script(kernel.calls, failure, file, data="large.npz")
    large.save(tmp_path / "large.py")
    assert len(large.text.splitlines()) < 25
    assert numbers(shown(tmp_path / "large.py").stdout)["got"] == entry
    script(kernel.calls, failure, file).save(tmp_path / "written.py")
    assert numbers(shown(tmp_path / "written.py").stdout)["got"] == entry


@pytest.mark.parametrize("name", ["layer.py:Layer", "layer.py:made", "inner-name.py:Outer.Layer"])
def test_an_implementation_is_imported_by_its_name(name: str, tmp_path: Path) -> None:
    text = RIGHT.replace("\ndef ", "\n@staticmethod\ndef ").replace("\n", "\n    ")
    text = f"import numpy as np\nclass Layer:{text}\nmade = Layer()\nclass Outer: Layer = Layer\n"
    (tmp_path / name.partition(":")[0]).write_text(text)
    kernel = Recorder(load_implementation(str(tmp_path / name)))
    example = make_example(RNN, steps=2, batch=1, sizes={"n": 1, "m": 2}, seed=0)
    y, *_ = kernel.forward(example.params, example.x)
    failure = Failure("y", "differs", (1, 0, 0), float(y[1, 0, 0]), 0.25, 1e-15)
    script(kernel.calls, failure, str(tmp_path / name)).save(tmp_path / "again.py")
    assert numbers(shown(tmp_path / "again.py").stdout)["got"] == failure.got


def test_a_module_is_imported_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer(tmp_path, "tape").rename(tmp_path / "reproduced_layer.py")
    monkeypatch.chdir(tmp_path)
    kernel = Recorder(load_implementation("reproduced_layer"))
    example = make_example(RNN, steps=2, batch=1, sizes={"n": 1, "m": 2}, seed=0)
    y, *_ = kernel.forward(example.params, example.x)
    failure = Failure("y", "differs", (1, 0, 0), float(y[1, 0, 0]), 0.25, 1e-15)
    script(kernel.calls, failure, "reproduced_layer").save(tmp_path / "again.py")
    assert numbers(shown(tmp_path / "again.py").stdout)["got"] == failure.got


def test_only_what_an_adapter_adapts_is_loaded_with_the_toolkit() -> None:
    call = Call("forward", {"params": {}, "x": np.ones((1, 1, 1)), "state_0": None})
    for text, adapted, needed in (
        ("mine.py", False, False),
        ("mine.py", True, True),
        ("m.onnx", False, True),
        ("cmd:./program", False, True),
    ):
        given = Call("forward", {**call.arguments, "lengths": None}, adapted=adapted)
        found = script([given], Failure("", "raised"), text, cell="rnn").text
        assert ("verify" in found) is needed


ODD = [0.1, -0.0, 1e-320, 1 / 3, math.inf, -math.inf, math.nan, 7.0]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
@pytest.mark.parametrize("shape", [(8,), (2, 4), (40, 2, 4), (1, 1, 8), (), (0, 3), (3, 0)])
def test_arrays_as_text_read_back_to_the_same_bits(
    dtype: type[np.generic], shape: tuple[int, ...]
) -> None:
    values = [3, -4, 5, 6, 0, -1, 2**40, 9] if dtype is np.int64 else ODD
    array = np.resize(np.array(values, dtype), shape)
    for given in (array, np.zeros_like(array)):
        text = literal(given, 4, 10)
        back = eval(text, {"np": np})
        assert (back.dtype, back.shape, back.tobytes()) == (dtype, shape, given.tobytes())
        assert all(len(line) <= 100 for line in text.splitlines()[1:])


def test_a_number_is_found_where_it_came_from() -> None:
    first, second = np.arange(6.0).reshape(2, 3) / 7, np.arange(6.0).reshape(2, 3) * 100 + 1 / 3
    calls = [Call("forward", {}, {"y": a}) for a in (first, second, first)]
    got = find(calls, "y", (1, 1), float(first[1, 1]))
    assert got == Place((2,), (1, 1))
    assert find(calls, "y", (1, 1), float(first[1, 1]), got) == Place((0,), (1, 1))
    assert find(calls, "y", (0, 0), float(second[1, 2])) == Place((1,), (1, 2))
    assert find(calls, "y", (1, 2), float(first[1, 2] + second[1, 2])) == Place((0, 1), (1, 2))
    assert find(calls, "y", (1, 2), 0.77) is None
    assert find(calls, "h_T", (1, 2), float(first[1, 2])) is None


def test_a_finding_without_calls_has_no_script() -> None:
    finding = Finding(
        "values",
        "it must",
        "y",
        "differs",
        make_example(RNN, steps=1, batch=1, sizes={"n": 1, "m": 1}, seed=0),
    )
    report = Report("rnn", "", "wrong", (finding,), (), (), 1, 1, 0)
    assert reproduction(report, finding) is None
