"""Recurrent cells from their equations: gradients, proofs, LaTeX and NumPy kernels.

    cell = derive.load("lstm")              equations, from the zoo or from a file
    g = derive.backpropagate(cell)          back-propagation through time, derived
    claims = derive.prove(g)                theorems, each with verdict, level and counterexample
    derive.article(g, claims)               LaTeX
    derive.numpy_source(g, claims)          a stand-alone kernel

Names are imported when they are first used, so that `derive --help` does not wait for SymPy. The
rooms, and which may import which, are listed in `tests/test_flow.py`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from derive.backends.numpy import numpy_source
    from derive.backpropagation import NetworkGradients, backpropagate
    from derive.cell import Cell, Equation, Variable, lag
    from derive.claim import Claim
    from derive.errors import BpttError, CellError, UsageError
    from derive.gradients import Gradients
    from derive.language import build, parse
    from derive.latex import latex as article
    from derive.networks import Layer, Network, parse_network
    from derive.proofs import prove
    from derive.version import VERSION as __version__
    from derive.zoo import load, load_network, names, network_names

__all__ = [
    "BpttError",
    "Cell",
    "CellError",
    "Claim",
    "Equation",
    "Gradients",
    "Layer",
    "Network",
    "NetworkGradients",
    "UsageError",
    "Variable",
    "__version__",
    "article",
    "backpropagate",
    "build",
    "lag",
    "load",
    "load_network",
    "names",
    "network_names",
    "numpy_source",
    "parse",
    "parse_network",
    "prove",
]

_HOMES = {
    "BpttError": "derive.errors",
    "Cell": "derive.cell",
    "CellError": "derive.errors",
    "Claim": "derive.claim",
    "Equation": "derive.cell",
    "Gradients": "derive.gradients",
    "Layer": "derive.networks",
    "Network": "derive.networks",
    "NetworkGradients": "derive.backpropagation",
    "UsageError": "derive.errors",
    "Variable": "derive.cell",
    "__version__": "derive.version:VERSION",
    "article": "derive.latex:latex",
    "backpropagate": "derive.backpropagation",
    "build": "derive.language",
    "lag": "derive.cell",
    "load": "derive.zoo",
    "load_network": "derive.zoo",
    "names": "derive.zoo",
    "network_names": "derive.zoo",
    "numpy_source": "derive.backends.numpy",
    "parse": "derive.language",
    "parse_network": "derive.networks",
    "prove": "derive.proofs",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'derive' has no attribute '{name}'")
    module, _, inner = _HOMES[name].partition(":")
    return getattr(import_module(module), inner or name)
