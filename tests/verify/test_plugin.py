"""The tests that a user's own test file gets, run by pytest in a process of its own."""

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace

import pytest

from derive.__main__ import main as derive
from derive.errors import UsageError
from derive.zoo import load
from verify.plugin import check, check_each
from verify.properties import PROPERTIES
from verify.references import reference_kernel

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
RNN = load("rnn")

WRONG = """
from right import backward as rights, forward

def backward(params, tape, dy=None, dstate_T=None):
    grads = dict(rights(params, tape, dy, dstate_T))
    return grads | {"b": 1.5 * grads["b"]}
"""

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest where `right` and `wrong` are layers, on a test file of these lines."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("CI", "GITHUB_ACTIONS", "TF_BUILD"):  # they change Hypothesis' profile
        monkeypatch.delenv(name, raising=False)
    assert derive(["numpy", "rnn", "-o", str(pytester.path / "right.py")]) == 0
    pytester.makepyfile(wrong=WRONG)

    def ran(lines: str, *options: str) -> pytest.RunResult:
        head = "import right, wrong\nfrom verify.plugin import check, check_each\n"
        (pytester.path / "test_mine.py").write_text(head + lines)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-q", *options)

    return ran


FEW = 'properties=["values", "gradients", "NaN padding gradients"]'


def test_a_right_layer_passes_one_test_for_each_property(run: Run) -> None:
    done = run(
        "import hypothesis\n"
        "hypothesis.settings.register_profile('few', max_examples=30)\n"
        "hypothesis.settings.load_profile('few')\n"
        "test_rnn = check_each('rnn', right)\n",
        "-vv",
        "-rs",
    )
    outcomes = dict(re.findall(r"test_rnn\[(\w+)\] (PASSED|SKIPPED)", done.stdout.str()))
    assert outcomes.keys() == {p.name.replace(" ", "_") for p in PROPERTIES}
    assert outcomes["values"] == outcomes["gradients"] == outcomes["padding"] == "PASSED"
    assert outcomes["state_path"] == "SKIPPED"
    said = "not judged: no state of rnn reaches its own next value entry by entry"
    done.stdout.fnmatch_lines([f"*{said}*"])


def test_a_failure_is_the_findings_text_on_the_smallest_example(run: Run) -> None:
    done = run(f"test_rnn = check_each('rnn', wrong, {FEW})\n")
    done.assert_outcomes(passed=2, failed=1)
    said = done.stdout.str()
    assert "gradients: b[0] differs from the derived gradient\n  got " in said
    assert "smallest example: rnn: T=1, B=1, n=1, m=2, unsaturated, " in said
    assert "Traceback" not in said
    assert "__tracebackhide__" not in said
    script = said.partition("  to see it again:\n")[2].partition("=====")[0]
    assert script.count("\nimport wrong as layer\n") == 1
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env={}
    )
    assert re.match(r"got +\S+\nexpected \S+\nallowed +\S+\n$", done.stdout), done.stderr


def test_what_is_not_given_is_skipped_with_the_reason(run: Run) -> None:
    done = run(f"del right.backward\ntest_rnn = check_each('rnn', right, {FEW})\n", "-rs")
    done.assert_outcomes(passed=1, skipped=2)
    done.stdout.fnmatch_lines(["*not judged: the implementation has no backward*"])


def test_the_profile_in_force_says_how_many_examples(run: Run) -> None:
    profile = (
        "import hypothesis\n"
        "hypothesis.settings.register_profile('mine', max_examples=7)\n"
        "hypothesis.settings.load_profile('mine')\n"
    )
    lines = f"{profile}test_rnn = check_each('rnn', right, properties=['values', 'padding'])\n"
    done = run(lines, "--hypothesis-show-statistics")
    assert done.stdout.str().count("settings.max_examples=7") == 2
    every = next(p for p in PROPERTIES if p.name == "no steps").every
    assert every > 7
    lines = f"{profile}test_rnn = check_each('rnn', right, properties=['no steps'])\n"
    done = run(lines, "--hypothesis-show-statistics")
    assert "settings.max_examples=1\n" in done.stdout.str()
    lines = (
        f"{profile}test_rnn = check_each('rnn', right, properties=['values'], "
        "settings=hypothesis.settings(max_examples=3))\n"
    )
    done = run(lines, "--hypothesis-show-statistics")
    assert "settings.max_examples=3\n" in done.stdout.str()


COUNTED = """
import hypothesis
seen = []
class Layer:
    backward = staticmethod(right.backward)
    @staticmethod
    def forward(params, x, *given, **named):
        seen.append(float(x.sum()))
        return right.forward(params, x, *given, **named)
test_rnn = check_each("rnn", Layer, properties=["values"])
def test_end():
    print("seen", seen)
"""


def test_the_seed_repeats_a_run(run: Run) -> None:
    options = ("-s", "-p", "no:randomly", "--hypothesis-seed")
    one, two, other = (run(COUNTED, *options, seed) for seed in ("7", "7", "8"))
    seen = [re.search(r"seen (\[.*\])", r.stdout.str())[1] for r in (one, two, other)]
    assert seen[0] == seen[1] != seen[2]


def test_the_example_database_keeps_what_failed_for_each_property(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(
        "import hypothesis\n"
        "hypothesis.settings.register_profile('once', phases=[hypothesis.Phase.reuse])\n"
    )
    lines = 'test_rnn = check_each("rnn", wrong, properties=["values", "gradients"])\n'
    assert not (pytester.path / ".hypothesis" / "examples").exists()
    run(lines, "--hypothesis-profile=once").assert_outcomes(skipped=2)
    run(lines).assert_outcomes(passed=1, failed=1)
    assert (pytester.path / ".hypothesis" / "examples").is_dir()
    run(lines, "--hypothesis-profile=once").assert_outcomes(skipped=1, failed=1)


def test_a_layer_is_a_module_an_object_a_class_or_its_name(run: Run) -> None:
    lines = """
from types import SimpleNamespace
class Layer:
    forward, backward = staticmethod(wrong.forward), staticmethod(wrong.backward)
few = dict(properties=["gradients"])
test_module = check_each("rnn", wrong, **few)
test_class = check_each("rnn", Layer, **few)
test_object = check_each("rnn", Layer(), **few)
test_name = check_each("rnn", "wrong.py", **few)
"""
    done = run(lines)
    done.assert_outcomes(failed=4)
    said = done.stdout.str()
    assert said.count("import wrong as layer") == 2
    assert said.count("from test_mine import Layer as layer") == 1
    assert said.count("layer = ...") == 1


def test_one_test_for_all_is_the_report_of_the_command(run: Run) -> None:
    done = run(
        "def test_right(): check('rnn', right, examples=3)\n"
        "def test_wrong(): check('rnn', wrong, examples=3)\n"
        "def test_nothing(): check('rnn', 'nothing.py', examples=3)\n"
    )
    done.assert_outcomes(passed=1, failed=2)
    said = done.stdout.str()
    assert "wrong: " in said
    assert " is not rnn, or misbehaves" in said
    assert "'nothing.py' is not a file" in said


def test_loaded_as_a_plugin_it_marks_the_tests(run: Run) -> None:
    lines = f"test_rnn = check_each('rnn', right, {FEW})\ndef test_other(): pass\n"
    # Where this distribution is installed, pytest loads the plugin by its entry point.
    installed = any(e.value == "verify.plugin" for e in entry_points(group="pytest11"))
    loaded = () if installed else ("-p", "verify.plugin")
    options = (*loaded, "--strict-markers", "-W", "error")
    run(lines, *options, "-m", "verify").assert_outcomes(passed=3, deselected=1)
    run(lines, *options, "-m", "not verify").assert_outcomes(passed=1, deselected=3)
    run(lines, *options, "-k", "NaN_padding").assert_outcomes(passed=1, deselected=3)


def test_the_plugin_loads_nothing_heavy() -> None:
    code = "import sys, verify.plugin; print({'sympy', 'numpy', 'hypothesis'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    ("cell", "layer", "options", "said"),
    [
        ("nix", SimpleNamespace(forward=print), {}, "'nix' is neither"),
        ("rnn", object(), {}, "the implementation has no forward"),
        ("rnn", "nothing.py", {}, "'nothing.py' is not a file"),
        ("rnn", reference_kernel(RNN), {"properties": ["valves"]}, "no property 'valves'"),
    ],
)
def test_what_means_nothing_is_refused_where_it_is_written(
    cell: str, layer: object, options: dict, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        check_each(cell, layer, **options)


def test_a_right_layer_is_no_failure_in_this_process() -> None:
    check(RNN, reference_kernel(RNN), examples=2)
