"""Other people's code, imported as it was published, with lines repaired in memory if asked.

Nothing of it is kept in this repository. Archives lie in a folder of their own, `FOUND_CACHE`, by
default `verify-found` among temporary files; `run.py` puts packages there, a clone is put there by
whoever runs it. `FOUND_EDITS` has repairs as JSON: [[file, line, old, new], ...]. A repair replaces
`old` by `new` in that line, in what is executed; the file stays as it is.
"""

import ast
import importlib
import importlib.machinery
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

__all__ = ["CACHE", "Repairing", "edited", "leaving_out", "module", "notebook", "text_of"]

CACHE = Path(os.environ.get("FOUND_CACHE", Path(tempfile.gettempdir()) / "verify-found"))

Edit = tuple[str, int, str, str]

NONE: Mapping[str, Sequence[str]] = MappingProxyType({})


def edits() -> list[Edit]:
    """The repairs that this process was started with."""
    return [tuple(edit) for edit in json.loads(os.environ.get("FOUND_EDITS", "[]"))]


def edited(text: str, repairs: Sequence[Edit], file: str) -> str:
    """Source with the repairs of that file.

    Raises:
        LookupError: the line does not have what is to be replaced, exactly once.
    """
    lines = text.split("\n")
    for name, number, old, new in repairs:
        if name == file:
            line = lines[number - 1] if number <= len(lines) else ""
            if line.count(old) != 1:
                raise LookupError(f"{file}, line {number}: expected `{old}`, found `{line}`")
            lines[number - 1] = line.replace(old, new)
    return "\n".join(lines)


class Repairing(importlib.machinery.SourceFileLoader):
    """Reads a module under `root`, repaired, and keeps no compiled copy of it."""

    def __init__(self, name: str, path: str, root: Path):
        super().__init__(name, path)
        self.root = root

    def get_code(self, fullname: str) -> Any:
        path = Path(self.get_filename(fullname))
        text = path.read_text(encoding="utf-8")
        return compile(edited(text, edits(), str(path.relative_to(self.root))), str(path), "exec")


class _Finder:
    """Finds modules of one archive, before anything that is installed."""

    def __init__(self, root: Path, start: Path):
        self.root, self.start = root, start

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        inside = [str(self.start)] if path is None else list(path)
        spec = importlib.machinery.PathFinder.find_spec(name, inside)
        ours = spec is not None and spec.origin and spec.origin.endswith(".py")
        if not ours or not Path(spec.origin).is_relative_to(self.root):
            return None
        spec.loader = Repairing(name, spec.origin, self.root)
        return spec


def _root(archive: str) -> Path:
    root = CACHE / archive
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not there; python docs/found/run.py says how to get it")
    return root


def module(
    archive: str, name: str, folder: str = "", stubs: Mapping[str, Sequence[str]] = NONE
) -> ModuleType:
    """A module of an archive, by its own name.

    Args:
        folder: where in the archive imports start.
        stubs: modules that it imports and its layer does not need, each with what is imported.
    """
    for stub, content in stubs.items():
        sys.modules[stub] = ModuleType(stub)
        vars(sys.modules[stub]).update(dict.fromkeys(content))
    root = _root(archive)
    sys.meta_path.insert(0, _Finder(root, root / folder))
    return importlib.import_module(name)


def text_of(archive: str, file: str) -> str:
    """A file of an archive, repaired."""
    text = (_root(archive) / file).read_text(encoding="utf-8")
    return edited(text, edits(), file)


def notebook(archive: str, file: str, cells: Sequence[int], given: dict[str, Any]) -> ModuleType:
    """The functions of a notebook's cells as one module; a line is one of `FILE, cell N`.

    Args:
        given: names that other cells would have made.
    """
    whole = json.loads((_root(archive) / file).read_text(encoding="utf-8"))
    made = ModuleType(Path(file).stem)
    vars(made).update(given)
    for number in cells:
        text = "".join(whole["cells"][number]["source"])
        place = f"{file}, cell {number}"
        tree = ast.parse(edited(text, edits(), place))
        tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        exec(compile(tree, place, "exec"), vars(made))
    return made


def leaving_out(kernel: Any, *names: str) -> Any:
    """A kernel without some gradients, as autograd has zeros for states that nobody can hand in."""

    def back(*given: Any) -> dict[str, Any]:
        return {n: g for n, g in kernel.back(*given).items() if n not in names}

    return replace(kernel, back=back)
