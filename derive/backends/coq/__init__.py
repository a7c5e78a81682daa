"""Gradients -> a Coq file that proves them, for any sizes and any T; and asking Coq about it."""

from derive.backends.coq.checking import check
from derive.backends.coq.module import coq_source, library_source

__all__ = ["check", "coq_source", "library_source"]
