"""How wrong one run is, enclosed: the same formulas in ball arithmetic (Arb, by python-flint)."""

from verify.enclosing.enclosure import Enclosure, Entry, Result, enclose
from verify.enclosing.report import Report, to_json, to_text

__all__ = ["Enclosure", "Entry", "Report", "Result", "enclose", "to_json", "to_text"]
