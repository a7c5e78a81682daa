"""What must hold of an implementation: one row each."""

from verify.properties.property import Property
from verify.properties.table import PROPERTIES
from verify.properties.trial import BrokenError, Failure, Skip, Trial

__all__ = ["PROPERTIES", "BrokenError", "Failure", "Property", "Skip", "Trial"]
