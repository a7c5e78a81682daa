"""Vectors as files: `.npz`, the same bytes each time, and JSON.

In the `.npz` an array is `NUMBER/given/NAME`, `NUMBER/expected/NAME` or `NUMBER/bound/NAME`, and
`manifest` holds the bytes of a JSON text with everything else. The JSON document is the manifest
with the arrays in it, each as {"shape": […], "data": […]} with the last axis running fastest.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from derive.errors import UsageError
from verify.kernels import Array, Arrays
from verify.vectors.formats import FORMAT, VERSION, Vector, Vectors

__all__ = ["load", "npz_of", "to_json", "to_npz"]

PARTS = ("given", "expected", "bound")
_HEAD = ("cell", "text", "digest", "variables", "seed", "asked", "passed_over")
_ONE = ("label", "dtype", "sizes", "left_out")

# Zip files carry dates; np.savez takes the clock's.
_DATE = (1980, 1, 1, 0, 0, 0)


def to_npz(vectors: Vectors) -> bytes:
    """The content of a file that `np.load` reads; the same vectors give the same bytes."""
    manifest = json.dumps(_manifest(vectors)).encode("ascii")
    arrays: dict[str, Array] = {"manifest": np.frombuffer(manifest, np.uint8)}
    for number, vector in enumerate(vectors.vectors):
        for part in PARTS:
            for name, array in getattr(vector, part).items():
                arrays[f"{number}/{part}/{name}"] = array
    return npz_of(arrays)


def npz_of(arrays: Arrays) -> bytes:
    """Arrays by name as `np.savez` has them, uncompressed, little-endian, without the time."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", _DATE)
            entry.create_system, entry.external_attr = 3, 0o600 << 16
            content = io.BytesIO()
            little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            np.lib.format.write_array(content, little, version=(1, 0), allow_pickle=False)
            archive.writestr(entry, content.getvalue())
    return target.getvalue()


def to_json(vectors: Vectors) -> str:
    """The vectors as one JSON document, an example to a line, ending in a newline.

    Numbers are written so that reading them as float64, or as the example's dtype, is exact.
    """
    document = _manifest(vectors)
    del document["examples"]
    head = json.dumps(document)
    lines = [json.dumps(_example(v), allow_nan=False) for v in vectors.vectors]
    return head[:-1] + ', "examples": [\n' + ",\n".join(lines) + "\n]}\n"


def load(path: str | Path) -> Vectors:
    """The vectors of a file, `.npz` or JSON.

    Raises:
        UsageError: there is no such file, or it holds no vectors of this version.
    """
    place = Path(path)
    try:
        if place.suffix == ".npz":
            with np.load(place, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            return _of_manifest(json.loads(arrays["manifest"].tobytes()), arrays)
        return _of_document(json.loads(place.read_text("ascii")))
    except OSError as error:
        raise UsageError(f"{place} does not open: {error.strerror or error}") from None
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise UsageError(f"{place} holds no vectors: {type(error).__name__}: {error}") from None


def _manifest(vectors: Vectors) -> dict[str, Any]:
    head = {name: getattr(vectors, name) for name in _HEAD}
    examples = [{name: getattr(v, name) for name in _ONE} for v in vectors.vectors]
    return {"format": FORMAT, "version": VERSION, **head, "examples": examples}


def _example(vector: Vector) -> dict[str, Any]:
    parts = {part: _shaped(getattr(vector, part)) for part in PARTS}
    return {name: getattr(vector, name) for name in _ONE} | parts


def _shaped(arrays: Arrays) -> dict[str, Any]:
    return {k: {"shape": list(a.shape), "data": a.ravel().tolist()} for k, a in arrays.items()}


def _of_manifest(manifest: Mapping[str, Any], arrays: Arrays) -> Vectors:
    found = []
    for number, about in enumerate(_checked(manifest)["examples"]):
        parts: dict[str, Any] = {part: {} for part in PARTS}
        for key, array in arrays.items():
            for part in PARTS:
                if key.startswith(f"{number}/{part}/"):
                    parts[part][key.removeprefix(f"{number}/{part}/")] = array
        found.append(Vector(**{name: about[name] for name in _ONE}, **parts))
    return Vectors(**{name: manifest[name] for name in _HEAD}, vectors=tuple(found))


def _of_document(document: Mapping[str, Any]) -> Vectors:
    found = []
    for example in _checked(document)["examples"]:
        parts: dict[str, Any] = {}
        for part in PARTS:
            dtype = example["dtype"] if part == "given" else "float64"
            parts[part] = {
                name: np.array(a["data"], "int64" if name == "lengths" else dtype).reshape(
                    a["shape"]
                )
                for name, a in example[part].items()
            }
        found.append(Vector(**{name: example[name] for name in _ONE}, **parts))
    return Vectors(**{name: document[name] for name in _HEAD}, vectors=tuple(found))


def _checked(document: Mapping[str, Any]) -> Mapping[str, Any]:
    kind, version = document["format"], document["version"]
    if (kind, version) != (FORMAT, VERSION):
        raise UsageError(
            f"this reads {FORMAT} of version {VERSION}, and the file has {kind} of {version}"
        )
    return document
