"""Text that names somebody's implementation -> the object that has its forward and backward."""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from derive.errors import UsageError, one_line
from verify.kernels import Kernel

__all__ = ["FORMS", "Form", "kernel_from_source", "load_implementation"]


@dataclass(frozen=True)
class Form:
    """One way to name an implementation.

    Attributes:
        shown: how it is written.
        matches: whether a text is written that way.
        load: the implementation that the text names.
    """

    shown: str
    matches: Callable[[str], bool]
    load: Callable[[str], Kernel]


def load_implementation(text: str) -> Kernel:
    """The implementation that `text` names, by the first row of `FORMS` that matches.

    A class is instantiated without arguments. `backward` may be missing.

    Raises:
        UsageError: one line: what is missing, or how the import failed.
    """
    for form in FORMS:
        if form.matches(text):
            return form.load(text)
    forms = ", ".join(form.shown for form in FORMS)
    raise UsageError(f"'{one_line(text, 60)}' names no implementation; write {forms}")


def kernel_from_source(source: str) -> Kernel:
    """An emitted kernel, executed as a module of its own that nothing else can import.

    Raises:
        UsageError: the source raises, or defines no forward.
    """
    module = ModuleType("kernel")
    try:
        exec(compile(source, "<kernel>", "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        raise UsageError(f"the kernel's source raises {_said(error)}") from None
    return _checked(module, "the kernel's source")


def _from_file(text: str) -> Kernel:
    place, _, name = text.rpartition(":") if not text.endswith(".py") else (text, "", "")
    path = Path(place)
    if not path.is_file():
        raise UsageError(f"'{one_line(place, 80)}' is not a file")
    title = f"_verify_{path.stem}"
    spec = importlib.util.spec_from_file_location(title, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"'{one_line(place, 80)}' is not a Python file")
    module = importlib.util.module_from_spec(spec)
    with _importable(path.parent):
        sys.modules[title] = module  # dataclasses look their own module up
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            shown = one_line(place, 80)
            raise UsageError(f"'{shown}' fails to import: {_said(error)}") from None
        finally:
            del sys.modules[title]
    return _named(module, name, place)


def _from_module(text: str) -> Kernel:
    place, _, name = text.partition(":")
    with _importable(Path.cwd()):
        try:
            module = importlib.import_module(place)
        except (Exception, SystemExit) as error:
            shown = one_line(place, 80)
            raise UsageError(f"module '{shown}' fails to import: {_said(error)}") from None
    return _named(module, name, place)


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Imports find what lies in `folder`, as they do for a script there."""
    entry = str(folder.resolve())
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        sys.path.remove(entry)


def _named(module: ModuleType, name: str, place: str) -> Kernel:
    """The object of that dotted name in a module; without a name, the module itself."""
    found: Any = module
    for part in name.split(".") if name else ():
        if not hasattr(found, part):
            known = sorted(n for n, v in vars(module).items() if hasattr(v, "forward"))
            hint = f"; with a forward: {', '.join(known)}" if known else ""
            shown = one_line(name, 60)
            raise UsageError(f"'{one_line(place, 80)}' has no '{shown}'{hint}")
        found = getattr(found, part)
    shown = one_line(f"{place}:{name}" if name else place, 120)
    if isinstance(found, type):
        try:
            found = found()
        except (Exception, SystemExit) as error:
            raise UsageError(
                f"'{shown}' cannot be made without arguments: {_said(error)}; name an instance"
            ) from None
    return _checked(found, f"'{shown}'")


def _checked(found: Any, shown: str) -> Kernel:
    if not callable(getattr(found, "forward", None)):
        raise UsageError(
            f"{shown} has no forward; expected forward(params, x, state_0=None, *, lengths=None) "
            "and backward(params, tape, dy=None, dstate_T=None)"
        )
    return cast(Kernel, found)


def _said(error: BaseException) -> str:
    return one_line(f"{type(error).__name__}: {error}", 200)


FORMS: tuple[Form, ...] = (
    Form("path.py", lambda text: text.endswith(".py"), _from_file),
    Form("path.py:NAME", lambda text: text.rpartition(":")[0].endswith(".py"), _from_file),
    Form(
        "module:NAME",
        lambda text: all(p.isidentifier() for p in text.replace(":", ".", 1).split(".")),
        _from_module,
    ),
)
