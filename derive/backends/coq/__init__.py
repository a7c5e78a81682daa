"""Gradients -> a Coq file that proves them, for any sizes and any T; and asking Coq about it."""

from derive.backends.coq.checking import Checked, check, installed
from derive.backends.coq.module import coq_source, library_source
from derive.backends.coq.specifications import specified

__all__ = ["Checked", "check", "coq_source", "installed", "library_source", "specified"]
