"""`import derive`: what it offers, and that it is quick."""

import ast
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import derive

SOURCE = ast.parse(Path(derive.__file__).read_text("utf-8"))


def types() -> dict[str, str]:
    """The names that type checkers see, with the places they are imported from."""
    (block,) = [node for node in SOURCE.body if isinstance(node, ast.If)]
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    return {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_every_public_name_is_the_thing_that_type_checkers_see() -> None:
    assert sorted(types()) == sorted(derive.__all__)
    for name, home in types().items():
        module, _, inner = home.partition(":")
        assert getattr(derive, name) is getattr(import_module(module), inner)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'derive' has no attribute 'nothing'"):
        derive.nothing  # noqa: B018


def test_the_road_of_the_docstring_can_be_walked() -> None:
    cell = derive.load("rnn")
    g = derive.backpropagate(cell)
    claims = derive.prove(g)
    assert derive.article(g, claims).startswith("\\documentclass")
    compile(derive.numpy_source(g, claims), "kernel", "exec")
    assert derive.parse(str(cell)) == cell


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = "import sys, derive; derive.__version__; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=True,
    )
    assert "derive.version" in done.stdout.split()
    assert not {"sympy", "numpy", "hypothesis", "pytest"} & set(done.stdout.split())
