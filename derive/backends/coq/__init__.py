"""Gradients -> a Coq file that proves them, for any sizes and any T. Same cell in, same bytes out."""

from derive.backends.coq.checking import check
from derive.backends.coq.module import coq_source, library_source

__all__ = ["check", "coq_source", "library_source"]
