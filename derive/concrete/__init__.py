"""Gradients at given sizes, decided once more: the unrolled loss, as exact polynomials."""

from derive.concrete.decision import Decision, claim_of, decide, sizes_of

__all__ = ["Decision", "claim_of", "decide", "sizes_of"]
