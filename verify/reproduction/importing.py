"""How a script gets at an implementation, by the text that names it."""

from pathlib import Path

__all__ = ["imports_of"]


def imports_of(text: str, *, adapted: bool, cell: str, convention: str) -> tuple[list[str], ...]:
    """Modules to import, and lines that define `layer`.

    This toolkit is used only where the implementation is called through one of its adapters.

    Args:
        text: as for `verify.loading.load_implementation`; '' if it has no name.
        adapted: whether it is known to be called through an adapter.
    """
    if not text:
        return [], ["layer = ...  # the implementation: what has forward and backward"]
    if adapted or text.startswith("cmd:") or text.endswith(".onnx"):
        options = f", convention={convention!r}" if convention else ""
        return [], [
            "from verify.loading import load_implementation  # it is called through an adapter",
            "",
            f"layer = load_implementation({text!r}, cell={cell!r}{options})",
        ]
    place, name = _parts(text)
    file = place.endswith(".py")
    folder = Path(place).resolve().parent if file else Path.cwd()
    module, path = Path(place).stem if file else place, f"sys.path.insert(0, {str(folder)!r})"
    made = ["layer = layer() if isinstance(layer, type) else layer"] if name else []
    if not all(part.isidentifier() for part in module.split(".")):
        found = f"layer = importlib.import_module({module!r}){'.' if name else ''}{name}"
        return ["importlib", "sys"], [path, found, *made]
    first, dot, rest = name.partition(".")
    if not name:
        return ["sys"], [path, f"import {module} as layer"]
    inner = [f"layer = layer{dot}{rest}"] if rest else []
    return ["sys"], [path, f"from {module} import {first} as layer", *inner, *made]


def _parts(text: str) -> tuple[str, str]:
    """(file or module, name in it)."""
    if text.endswith(".py") or ":" not in text:
        return text, ""
    place, _, name = text.rpartition(":")
    return place, name
