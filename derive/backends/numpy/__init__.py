"""Schedule -> a stand-alone module that imports NumPy alone. Same cell in, same bytes out."""

from derive.backends.numpy.module import numpy_source

__all__ = ["numpy_source"]
