"""Errors say whose fault they are, on one line that is safe to show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derive import errors
from derive.errors import BpttError, CellError, RuleError, UsageError, file_named, one_line


@pytest.mark.parametrize(("kind", "code"), [(CellError, 2), (UsageError, 2), (RuleError, 4)])
def test_each_error_is_ours_and_has_the_command_s_exit_code(
    kind: type[BpttError], code: int
) -> None:
    assert issubclass(kind, BpttError)
    assert kind.exit_code == code


def test_every_error_is_exported_and_says_whose_fault_it_is() -> None:
    kinds = [getattr(errors, name) for name in errors.__all__ if name != "one_line"]
    assert all(kind.__doc__ for kind in kinds)


@given(st.text(), st.integers(8, 200))
def test_one_line_is_printable_ascii_of_bounded_length(text: str, limit: int) -> None:
    shown = one_line(text, limit)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= limit


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("h = x", "h = x"),
        ("  h\n=\t x ", "h = x"),
        ("\u03c3(x)", r"\u03c3(x)"),
        ("a\x1b[31m\0", r"a\x1b[31m\x00"),
        ("\ud800", r"\ud800"),
        ("h" * 101, "h" * 97 + "..."),
    ],
)
def test_one_line_shows_what_stands_there(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_of_a_long_path_the_end_is_shown() -> None:
    assert file_named("a/" * 60 + "mine.cell", 20).endswith("a/mine.cell")
    assert len(file_named("a/" * 60 + "mine.cell", 20)) == 20
    assert file_named("mine\n.cell") == "mine .cell"
