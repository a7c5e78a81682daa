"""What must hold of an implementation: one row each."""

from verify.properties.calling import BrokenError, Failure, Skip
from verify.properties.property import Property
from verify.properties.table import PROPERTIES
from verify.properties.trial import Trial

__all__ = ["PROPERTIES", "BrokenError", "Failure", "Property", "Skip", "Trial"]
