"""What `verify vectors` and `verify node-tests` do."""

from pathlib import Path

from derive.errors import UsageError
from derive.zoo import load as load_cell
from verify.vectors.formats import Vectors
from verify.vectors.making import make
from verify.vectors.node_files import AMBIGUOUS, write
from verify.vectors.node_rows import cases
from verify.vectors.storing import to_json, to_npz

__all__ = ["write_node_tests", "write_vectors"]


def write_vectors(
    cell: str, *, npz: str | None, json: str | None, seed: int = 0, examples: int | None = None
) -> str:
    """Write the vectors of a cell; returns what there is to say of them.

    Raises:
        UsageError: neither file is given, one cannot be written, or the cell is none.
    """
    if npz is None and json is None:
        raise UsageError("nowhere to write to: give -o FILE.npz or --json FILE")
    if npz is not None and not npz.endswith(".npz"):
        raise UsageError(f"-o takes a file that ends in .npz, not {npz}; for JSON use --json")
    vectors = make(load_cell(cell), seed=seed, count=examples)
    if npz is not None:
        _write(npz, to_npz(vectors))
    if json is not None:
        _write(json, to_json(vectors).encode("ascii"))
    return _said(vectors)


def write_node_tests(folder: str, *, seed: int = 0) -> str:
    """Write all node tests; returns how many there are.

    Raises:
        UsageError: the folder cannot be written, or `onnx` is not installed.
    """
    places = write(folder, cases(seed))
    unclear = sum(place.startswith(AMBIGUOUS) for place in places)
    return (
        f"{len(places) - unclear} cases in {folder}/node, and in {folder}/{AMBIGUOUS} {unclear} "
        f"whose text has more than one reading; seed {seed}"
    )


def _write(path: str, content: bytes) -> None:
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None


def _said(vectors: Vectors) -> str:
    return (
        f"{vectors.cell}: {len(vectors.vectors)} examples, {vectors.passed_over} passed over, "
        f"digest {vectors.digest}, seed {vectors.seed}"
    )
