"""An implementation in a process of its own: whatever it does there becomes a finding."""

from verify.isolation.conduct import CONDUCT, Observation
from verify.isolation.isolated import Isolated, Source, isolated
from verify.isolation.journal import Journal, Outcome, run_key

__all__ = [
    "CONDUCT",
    "Isolated",
    "Journal",
    "Observation",
    "Outcome",
    "Source",
    "isolated",
    "run_key",
]
