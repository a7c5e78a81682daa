"""A property: what must hold, why, and how it is judged."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from derive.errors import one_line
from verify.properties.calling import BrokenError, Failure, Skip
from verify.properties.trial import Trial

__all__ = ["Check", "Property"]

Check = Callable[[Trial], Failure | Skip | None]


@dataclass(frozen=True)
class Property:
    """Something that must hold of an implementation on every example.

    Attributes:
        reason: why it must hold.
        needs: whether the check calls `backward`.
        every: judged on every so many examples only, where a check is expensive.
        first: whether it judges that there is a result at all.
        refusable: whether an implementation may refuse what is asked, if it does so aloud: that is
            said, and is no failure.
    """

    name: str
    reason: str
    needs: Literal["forward", "backward"]
    check: Check
    every: int = 1
    first: bool = False
    refusable: bool = False

    def judge(self, trial: Trial) -> Failure | Skip | None:
        """The check, where a call that breaks is a failure as well."""
        broken = trial.broken if self.needs == "forward" else trial.broken_backward
        if broken is not None and isinstance(broken.raised, NotImplementedError):
            return _absent(broken)
        if broken is not None and not self.first:
            return Skip("no example ran")
        try:
            return self.check(trial)
        except BrokenError as error:
            if isinstance(error.raised, NotImplementedError):
                return _absent(error)
            if self.refusable and _raised(error):
                return Skip(f"refused: {error.failure.message}")
            return error.failure


def _raised(error: BrokenError) -> bool:
    """Whether an exception came, or nothing of that shape; not a crash, a hang or an exit."""
    said = str(getattr(error.raised, "finding", "raised"))
    return said.startswith("raised") and not isinstance(error.raised, SystemExit)


def _absent(error: BrokenError) -> Skip:
    return Skip(f"not given: {one_line(str(error.raised), 160) or 'it is not implemented'}")
