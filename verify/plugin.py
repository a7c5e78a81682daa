"""pytest: one test for each property of an implementation, in anybody's test file.

    from verify.plugin import check_each

    test_lstm = check_each("lstm", my_layer)

gives `test_lstm[values]`, `test_lstm[gradients]` and so on. Loaded as a plugin, this module gives
such tests the marker `verify`.
"""

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # pytest loads this module at every start
    import hypothesis
    import pytest

    from derive.cell import Cell
    from verify.kernels import Example
    from verify.properties import Property
    from verify.subject import Subject

__all__ = ["check", "check_each"]

MARKER = "verify"


def check_each(
    cell: "str | Cell",
    implementation: Any,
    *,
    convention: str | None = None,
    properties: Iterable[str] | None = None,
    settings: "hypothesis.settings | None" = None,
) -> Callable[..., None]:
    """A test function with a parameter for each property; failures are shrunk by Hypothesis.

    Hypothesis takes its settings from the profile in force: the number of examples, the seed, the
    example database. Properties whose check is expensive get fewer examples, as their rows say.
    A deadline counts only if the profile has another than Hypothesis' own. A property about which
    no example says anything is skipped, with the reason.

    Args:
        cell: a cell, the name of one, or a .cell file.
        implementation: an object with forward and backward, a module, a class, a torch module or a
            Keras layer; or a text that names one, as for `verify run`.
        convention: how a library's layer has its parameters, a row of `verify.conventions`.
        properties: names of rows of `verify.properties.PROPERTIES`; None means all.
        settings: for this test alone, in place of the profile's.

    Raises:
        UsageError: no such cell, implementation or property.
    """
    import pytest

    from verify.subject import Subject, rows_named

    subject = Subject.of(cell, implementation, convention)
    rows = rows_named(properties)

    def test(verified: "Property") -> None:
        __tracebackhide__ = True
        missing = subject.missing(verified)
        if missing:
            pytest.skip(f"not judged: {missing}")
        _judge(subject, verified, settings, getattr(handle.inner_test, DIGEST, b""))

    # What Hypothesis' own plugin looks at, for statistics and a database key of each test.
    handle = SimpleNamespace(inner_test=lambda: None)
    vars(test).update(is_hypothesis_test=True, hypothesis=handle, verified_cell=subject.cell.name)
    names = [row.name.replace(" ", "_") for row in rows]
    marked: Callable[..., None] = pytest.mark.parametrize("verified", rows, ids=names)(test)
    return marked


# Where Hypothesis' plugin puts what is added to the database key of a test.
DIGEST = "_hypothesis_internal_add_digest"


def _judge(
    subject: "Subject", row: "Property", chosen: "hypothesis.settings | None", key: bytes
) -> None:
    """Judge a property on examples of Hypothesis'."""
    __tracebackhide__ = True
    import pytest
    from hypothesis import given

    from verify.properties import Failure, Skip
    from verify.subject import drawn

    skipped: list[str] = []
    judged = 0

    def body(example: "Example") -> None:
        __tracebackhide__ = True
        nonlocal judged
        match subject.judge(row, example):
            case Skip(reason):
                skipped.append(reason)
                return
            case Failure():
                pytest.fail(subject.told(row, example), pytrace=False)
        judged += 1

    setattr(body, DIGEST, key or row.name.encode())
    _settings(row, chosen)(given(drawn(subject))(body))()
    if not judged:
        pytest.skip(f"not judged: {skipped[0] if skipped else 'no example asked for it'}")


def _settings(row: "Property", chosen: "hypothesis.settings | None") -> "hypothesis.settings":
    """The profile's, as far as it means something here."""
    from hypothesis import HealthCheck, Phase, Verbosity, settings

    base = settings() if chosen is None else chosen
    normal = base.verbosity == Verbosity.normal
    usual = settings.get_profile("default").deadline
    quiet = {HealthCheck.too_slow, HealthCheck.differing_executors}
    return settings(
        base,
        max_examples=max(1, base.max_examples // row.every),
        deadline=None if base.deadline == usual else base.deadline,
        phases=[p for p in base.phases if p is not Phase.explain],  # it traces our own lines
        suppress_health_check=quiet | set(base.suppress_health_check),
        print_blob=False,  # its decorator has no place here
        verbosity=Verbosity.quiet if normal else base.verbosity,  # the finding says what failed
    )


def check(
    cell: "str | Cell", implementation: Any, *, convention: str | None = None, **options: Any
) -> None:
    """Judge an implementation in one test, as `verify run` does, in this process.

    Args:
        cell, implementation, convention: as for `check_each`.
        options: of `verify.runner.run`: examples, seed, profile.
    """
    __tracebackhide__ = True
    import pytest

    from verify.report import to_text
    from verify.runner import run
    from verify.subject import Subject

    subject = Subject.of(cell, implementation, convention)
    report = run(subject.cell, subject.kernel, implementation=subject.name, **options)
    if report.verdict == "wrong":
        pytest.fail(to_text(report), pytrace=False)
    if report.verdict == "undecided":
        pytest.skip(to_text(report))


def pytest_configure(config: "pytest.Config") -> None:
    """The marker."""
    config.addinivalue_line("markers", f"{MARKER}: a property of a recurrent layer (bptt)")


def pytest_collection_modifyitems(items: "list[pytest.Item]") -> None:
    """Mark what `check_each` made."""
    for item in items:
        if hasattr(getattr(item, "obj", None), "verified_cell"):
            item.add_marker(MARKER)
