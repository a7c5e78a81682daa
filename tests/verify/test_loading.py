"""How an implementation is named, and what is said where the name leads nowhere."""

import sys

import pytest

from derive.errors import UsageError
from verify.loading import kernel_from_source, load_implementation

MODULE = '''
"""A user's module."""
from dataclasses import dataclass

import beside


def forward(params, x, state_0=None, *, lengths=None):
    return beside.VALUE


def backward(params, tape, dy=None, dstate_T=None):
    return {}


class Layer:
    def forward(self, params, x, state_0=None, *, lengths=None):
        return "layer"


@dataclass
class Sized:
    n: "int"

    def forward(self, params, x, state_0=None, *, lengths=None):
        return self.n


class layers:
    two = Sized(2)


number = 3
'''


@pytest.fixture
def user(tmp_path, monkeypatch):
    (tmp_path / "user_layer.py").write_text(MODULE)
    (tmp_path / "beside.py").write_text("VALUE = 'module'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "gives"),
    [
        ("user_layer.py", "module"),
        ("user_layer", "module"),
        ("user_layer.py:Layer", "layer"),
        ("user_layer:Layer", "layer"),
        ("user_layer.py:layers.two", 2),
    ],
)
def test_each_form_finds_its_implementation(user, text, gives):
    assert load_implementation(text).forward({}, None) == gives
    assert load_implementation(str(user / "user_layer.py")).forward({}, None) == "module"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nowhere.py", r"'nowhere\.py' is not a file"),
        ("nowhere.py:Layer", r"'nowhere\.py' is not a file"),
        ("no_such_module_here:Layer", r"module 'no_such_module_here' fails to import: Mod.*named"),
        ("user_layer.py:Lyer", r"'user_layer\.py' has no 'Lyer'; with a forward: Layer, Sized"),
        ("user_layer.py:number", r"'user_layer\.py:number' has no forward; expected forward\("),
        ("user_layer.py:Sized", r"cannot be made without arguments: TypeError: .*instance"),
        ("two words", r"'two words' names no implementation; write path\.py, path\.py:NAME, mod"),
        ("", r"'' names no implementation"),
        ("model.onnx\x1b[31m", r"'model\.onnx\\x1b\[31m' names no implementation"),
    ],
)
def test_what_cannot_be_loaded_is_said_in_one_line(user, text, said):
    with pytest.raises(UsageError, match=said) as error:
        load_implementation(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def f(:", "SyntaxError: invalid syntax"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise ValueError('one\\ntwo')", "ValueError: one two"),
        ("import no_such_module_here", "ModuleNotFoundError: No module named"),
    ],
)
def test_an_import_that_fails_says_how(user, source, said):
    (user / "broken.py").write_text(source)
    for text in ("broken.py", "broken.py:Layer", "broken:Layer"):
        with pytest.raises(UsageError, match=f"fails to import: {said}") as error:
            load_implementation(text)
        assert "\n" not in str(error.value)


def test_loading_leaves_the_interpreter_as_it_was(user):
    path, modules = list(sys.path), set(sys.modules)
    load_implementation("user_layer.py:Layer")
    assert sys.path == path
    assert set(sys.modules) - modules <= {"beside"}


def test_an_emitted_source_becomes_a_module_of_its_own():
    modules = set(sys.modules)
    one = kernel_from_source("def forward(*_, **__):\n    return 1\n")
    two = kernel_from_source("def forward(*_, **__):\n    return 2\n")
    assert (one.forward({}, None), two.forward({}, None)) == (1, 2)
    assert set(sys.modules) == modules


@pytest.mark.parametrize(
    ("source", "said"),
    [("1 / 0", "raises ZeroDivisionError"), ("x = 1", "the kernel's source has no forward")],
)
def test_a_source_that_is_no_kernel_is_refused(source, said):
    with pytest.raises(UsageError, match=said):
        kernel_from_source(source)
