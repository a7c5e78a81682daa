"""What several commands need: exit codes, JSON on standard output, files, claims."""

import json
from pathlib import Path
from typing import Any

__all__ = [
    "HOLDS",
    "OWN_FAILURE",
    "UNDECIDED",
    "USAGE",
    "WRONG",
    "all_claims",
    "code_of",
    "print_json",
    "proved",
    "proved_network",
    "write",
]

HOLDS, WRONG, USAGE, UNDECIDED, OWN_FAILURE = range(5)
FORMAT = 1  # the version in every JSON document


def print_json(document: dict[str, Any]) -> None:
    """Print a document with its version."""
    print(json.dumps({"version": FORMAT, **document}, indent=2))


def write(path: Path, text: str) -> None:
    """Write a file.

    Raises:
        UsageError: it cannot be written.
    """
    from derive.errors import UsageError

    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"cannot write '{path}': {error.strerror}") from None


def code_of(claims: Any) -> int:
    """The exit code that these claims come to."""
    if any(c.fails for c in claims):
        return WRONG
    return UNDECIDED if any(c.is_open for c in claims) else HOLDS


def proved(cell: str) -> Any:
    """(gradients, claims) of a cell."""
    from derive.gradients import gradients
    from derive.proofs import prove
    from derive.zoo import load

    g = gradients(load(cell))
    return g, prove(g)


def proved_network(network: str) -> Any:
    """(gradients, claims by the name of the cell) of a network."""
    from derive.backpropagation import backpropagate
    from derive.proofs import prove
    from derive.zoo import load_network

    derived = backpropagate(load_network(network))
    return derived, {g.cell.name: prove(g) for g in derived.cells}


def all_claims(proofs: Any) -> list[Any]:
    """The claims of all cells of a network."""
    return [claim for claims in proofs.values() for claim in claims]
