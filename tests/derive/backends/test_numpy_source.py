"""The emitted module as a file: stand-alone, repeatable, documented, able to check itself."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from emitted import executed
from kernel_cases import ALL, ZOO, derived_for

from derive.backends.numpy import numpy_source
from derive.backends.numpy.module import digest
from derive.claim import VOID
from derive.gradients import gradients
from derive.language import parse
from derive.proofs import prove
from derive.version import VERSION

ERROR = re.compile(r"largest relative error (\S+)")


@cache
def source_of(name: str) -> str:
    """What `derive numpy` writes."""
    derived = derived_for(name)
    return numpy_source(derived, prove(derived))


def started(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """A fresh interpreter in which a warning is an error."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_file(path: Path) -> tuple[int, str, str]:
    """(exit code, output, errors) of a file that is run on its own."""
    process = started("-I", str(path))
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize("name", ALL)
def test_the_module_imports_numpy_and_sys_alone(name):
    tree = ast.parse(source_of(name))
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    assert all(n in tree.body for n in imports)
    assert sorted(ast.unparse(n) for n in imports) == ["import numpy as np", "import sys"]
    called = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    assert not called & {"__import__", "exec", "eval", "open", "compile"}


@pytest.mark.parametrize("name", ALL)
def test_no_line_is_longer_than_120(name):
    lines = source_of(name).splitlines()
    assert {k: line for k, line in enumerate(lines, 1) if len(line) > 120} == {}


WRITE = """
import sys
from kernel_cases import derived_for
from derive.backends.numpy import numpy_source
from derive.proofs import prove
for name in sys.argv[1:]:
    g = derived_for(name)
    sys.stdout.write(numpy_source(g, prove(g) if name == "lstm" else ()))
"""


def test_the_same_cell_gives_the_same_bytes_whatever_the_hash_seed():
    path = os.pathsep.join(p for p in sys.path if p)
    names = (*ZOO, "concatenated", "tied", "taken_names", "state_of_another_size")
    runs = [
        started("-c", WRITE, *names, PYTHONHASHSEED=seed, PYTHONPATH=path) for seed in ("1", "2")
    ]
    (one, first), (two, second) = (run.communicate(timeout=60) for run in runs)
    assert (first, second) == ("", "")
    assert one == two
    assert one.count("def backward(") == len(names)


# The docstring.


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", ALL)
def test_the_docstrings_equations_parse_to_the_cell(name):
    cell = derived_for(name).cell
    doc = executed(source_of(name)).__doc__
    equations = doc.partition("elementwise:\n\n")[2].partition("\n\nShapes:")[0]
    kinds = {"input": cell.inputs, "state": cell.states, "parameter": cell.parameters}
    shape = lambda v: f"{v.name}[{', '.join(map(str, v.shape))}]"
    head = [f"{k} {', '.join(map(shape, vs))}" for k, vs in kinds.items() if vs]
    again = parse("\n".join([*head, *(line.strip() for line in equations.splitlines()), ""]))
    assert again.equations == cell.equations


@pytest.mark.parametrize("name", ALL)
def test_the_docstring_gives_every_shape(name):
    cell = derived_for(name).cell
    doc = executed(source_of(name)).__doc__
    rows = doc.partition("\nShapes:\n\n")[2].partition("\n\n")[0]
    found = {}
    for shown, shape in re.findall(r"(?:state )?(\w+(?:, \w+)*): (\([^)]*\))", words(rows)):
        found |= dict.fromkeys(shown.split(", "), shape)
    text = lambda *sizes: f"({', '.join(map(str, sizes))})"
    expected = {v.name: text("steps", "batch", *v.shape) for v in cell.inputs}
    expected |= {v.name: text("batch", *v.shape) for v in cell.states}
    expected |= {v.name: text(*v.shape) for v in cell.parameters}
    y = text("steps", "batch", *cell.output.shape)
    assert f"    y: {y}, which is {cell.output.name}" in rows.splitlines()
    assert {n: s for n, s in found.items() if n in expected} == expected


@pytest.mark.parametrize("name", ZOO)
def test_the_docstring_carries_theorems_version_and_digest(name):
    derived = derived_for(name)
    claims = prove(derived)
    module = executed(source_of(name))
    doc = words(module.__doc__)
    for claim in claims:
        shown = words(f"{claim.statement} [{claim.verdict}, {claim.level}")
        told = claim.verdict != VOID and claim.kind in ("gradients", "path", "range")
        assert (shown in doc) == told
    assert any(claim.verdict == "proved" for claim in claims)
    assert f"bptt {VERSION} " in doc
    assert f"digest {digest(derived.cell)}." in doc
    assert f'_DIGEST = "{digest(derived.cell)}"' in source_of(name)
    assert words(derived.cell.source) in doc


def test_a_kernel_without_claims_says_nothing_of_theorems():
    assert "Theorems" not in executed(numpy_source(derived_for("rnn"))).__doc__


TEXT = "input x[m]\nstate h[n]\nh = tanh(W @ x + U @ h[t-1] + b)\n"


@pytest.mark.parametrize(
    "other",
    [
        TEXT.replace("tanh", "sigmoid"),
        TEXT.replace("U @ h[t-1] + b", "b + U @ h[t-1]"),
        TEXT.replace("b)", "c)"),
        TEXT.replace("[m]", "[2]"),
        TEXT.replace(" + b", ""),
    ],
)
def test_the_digest_changes_with_the_text_and_not_with_the_name(other):
    assert digest(parse(TEXT, "one")) == digest(parse(TEXT, "two"))
    assert digest(parse(other, "one")) != digest(parse(TEXT, "one"))
    assert re.fullmatch("[0-9a-f]{16}", digest(parse(other)))


def test_the_name_is_all_that_distinguishes_equal_cells():
    one, two = (numpy_source(gradients(parse(TEXT, name))) for name in ("aaaa", "bbbb"))
    assert one != two
    assert one.replace("aaaa", "bbbb") == two


# Its own check.


@pytest.mark.parametrize("name", ZOO)
def test_the_file_checks_its_own_gradients(name, tmp_path):
    path = tmp_path / "kernel.py"
    path.write_text(source_of(name))
    code, out, err = run_file(path)
    assert (code, err) == (0, "")
    assert 0 < float(ERROR.search(out)[1]) < 1e-8
    for v in derived_for(name).cell.parameters:
        assert re.search(rf"^  {v.name} +\d\.\de-\d\d$", out, re.MULTILINE)


@pytest.mark.parametrize("name", ALL)
def test_every_gradient_is_among_the_errors_of_the_check(name):
    cell = derived_for(name).cell
    errors = executed(source_of(name)).self_check()
    states = [f"{s.name}_0" for s in cell.states]
    assert set(errors) == {v.name for v in (*cell.parameters, *cell.inputs)} | set(states)
    assert max(errors.values()) < 1e-8


OTHER = {"add": "subtract", "subtract": "add"}


class Turned(ast.NodeTransformer):
    """The k-th np.add or np.subtract as the other one."""

    def __init__(self, place: int) -> None:
        self.place, self.seen = place, 0

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        if node.attr not in OTHER:
            return node
        self.seen += 1
        if self.seen - 1 != self.place:
            return node
        return ast.Attribute(node.value, OTHER[node.attr], node.ctx)


def spoilt(source: str) -> Iterator[str]:
    """The source with one sign changed in backward, in every way."""
    place = 0
    while True:
        tree, turned = ast.parse(source), Turned(place)
        turned.visit(next(n for n in tree.body if getattr(n, "name", "") == "backward"))
        if turned.seen <= place:
            return
        yield ast.unparse(ast.fix_missing_locations(tree))
        place += 1


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "gru_reset_before"])
def test_the_check_finds_every_wrong_sign_in_backward(name):
    count = 0
    for source in spoilt(source_of(name)):
        count += 1
        assert max(executed(source).self_check().values()) > 1e-8, source
    assert count >= 3


def test_a_spoilt_file_says_so_and_exits_with_1(tmp_path):
    path = tmp_path / "kernel.py"
    path.write_text(next(spoilt(source_of("lstm"))))
    code, out, err = run_file(path)
    assert (code, err) == (1, "")
    assert float(ERROR.search(out)[1]) > 1e-8


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_the_source_is_the_reviewed_one(name, golden):
    golden(f"numpy/{name}.py", source_of(name))
