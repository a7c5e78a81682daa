"""Kernels as users get them, and figures of how well they agree for the end of the run."""

import importlib.util
from functools import cache

import pytest

from derive import zoo
from derive.backends.numpy import numpy_source
from derive.gradients import gradients


@pytest.fixture(scope="session")
def emitted(tmp_path_factory):
    """The emitted kernel of a cell of the zoo, by name."""
    folder = tmp_path_factory.mktemp("kernels")

    @cache
    def load(name):
        path = folder / f"{name}.py"
        path.write_text(numpy_source(gradients(zoo.load(name))), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(f"emitted_{name}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def figure(request):
    """Report a number: the largest for each text is printed at the end of the run."""
    return lambda what, value: request.node.user_properties.append((what, value))


def pytest_terminal_summary(terminalreporter):
    largest = {}
    for report in terminalreporter.getreports("passed"):
        if "peers" in report.nodeid:
            for what, value in report.user_properties:
                largest[what] = max(value, largest.get(what, value))
    if largest:
        terminalreporter.section("agreement with other implementations")
        terminalreporter.write("".join(f"{what} {value:.1e}\n" for what, value in largest.items()))
