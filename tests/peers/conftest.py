"""Kernels as users get them, and figures of how well they agree for the end of the run."""

import sys
from functools import cache

import pytest
from emitted import executed
from emitted import kernel_of as emitted_kernel

from derive import zoo
from derive.backends.numpy import numpy_source
from derive.backpropagation import backpropagate
from derive.networks import parse_network


@pytest.fixture(scope="session")
def kernel_of():
    """The kernel of a cell: what every comparison here is made with."""
    return emitted_kernel


@pytest.fixture(scope="session")
def emitted(kernel_of):
    """The emitted kernel of a cell of the zoo, by name."""
    return cache(lambda name: kernel_of(zoo.load(name)))


@pytest.fixture(scope="session")
def network_of():
    """The emitted module of a network, by its text."""
    return cache(lambda text: executed(numpy_source(backpropagate(parse_network(text, zoo.load)))))


@pytest.fixture(autouse=True)
def one_thread():
    """Where torch is loaded: small products are slower in many threads, above all when busy."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
