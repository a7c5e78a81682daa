"""Adapters: somebody's layer, whatever its shape, as a kernel.

Each is imported from its own module, because most need a package that not everybody has:
`functions` (a pair of functions with a layout of its own), `steps` (a cell of one step), `readout`
(a softmax built in), `torch_module`, `keras_layer`, `jax_function`, `onnx_model`, `program`.
"""

from verify.adapters.functions import adapt
from verify.adapters.limits import Limits
from verify.adapters.readout import readout
from verify.adapters.steps import adapt_step

__all__ = ["Limits", "adapt", "adapt_step", "readout"]
