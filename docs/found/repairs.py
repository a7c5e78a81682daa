"""The lines that make other people's layers right, by the layer's name.

A repair says what it changes in which line, no more; `theirs.py` checks that it stands there.
"""

from collections.abc import Mapping

from repair import Repair
from repairs_courses import COURSES
from repairs_packages import PACKAGES
from repairs_repositories import REPOSITORIES
from repairs_torch import TORCH

__all__ = ["REPAIRS", "Repair"]

REPAIRS: Mapping[str, tuple[Repair, ...]] = {**PACKAGES, **REPOSITORIES, **COURSES, **TORCH}
