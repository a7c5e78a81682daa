"""What must hold of an implementation: one row each."""

from verify.properties.table import PROPERTIES, Property
from verify.properties.trial import BrokenError, Failure, Skip, Trial

__all__ = ["PROPERTIES", "BrokenError", "Failure", "Property", "Skip", "Trial"]
