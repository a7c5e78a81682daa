"""What can go wrong, and whose fault it is. Every message is one line."""

__all__ = [
    "BpttError",
    "CellError",
    "RuleError",
    "UsageError",
    "asked_size",
    "file_named",
    "one_line",
]


class BpttError(Exception):
    """Base of every error this toolkit raises on purpose; `exit_code` is the command's."""

    exit_code = 2


class CellError(BpttError):
    """The author of the cell text wrote something that the language does not say."""


class UsageError(BpttError):
    """The caller named a file, a cell or an option that cannot be used."""


class RuleError(BpttError):
    """Our own fault: a table lacks the row that an expression needs."""

    exit_code = 4


def one_line(text: str, limit: int = 100) -> str:
    """`text` as printable ASCII on one line, at most `limit` characters: safe to show."""
    shown = " ".join(text.split()).encode("ascii", "backslashreplace").decode()
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in shown)
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def file_named(path: object, limit: int = 80) -> str:
    """A file's name on one line; of a long one the end, which says which file it is."""
    shown = one_line(str(path), max(limit, len(str(path)) * 10))
    return shown if len(shown) <= limit else "..." + shown[3 - limit :]


def asked_size(text: str) -> tuple[str, int]:
    """A size as a command is given it, 'n=4'.

    Raises:
        UsageError: it is no name with a whole number from 1 to 9999.
    """
    name, _, number = text.partition("=")
    if not (number.isdecimal() and len(number) < 10 and 0 < int(number) < 10_000):
        raise UsageError(f"--size {one_line(text, 40)}: expected a size and its number, as n=4")
    return name, int(number)
