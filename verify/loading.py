"""Text that names somebody's implementation -> the object that has its forward and backward.

Each way to name one is a row of `FORMS`; each kind of object that is no kernel itself, and gets an
adapter, is a row of `ADAPTED`.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from derive.errors import UsageError, one_line

if TYPE_CHECKING:  # a child process loads without SymPy what needs none
    from verify.kernels import Kernel

__all__ = [
    "ADAPTED",
    "FORMS",
    "Adapter",
    "Form",
    "Wanted",
    "kernel_from_source",
    "load_implementation",
]


@dataclass(frozen=True)
class Wanted:
    """What an adapter must know beside the implementation; None where it is not said.

    Attributes:
        cell: the name of a cell, or its file.
        convention: the name of a row of `verify.conventions`.
    """

    cell: str | None = None
    convention: str | None = None

    def for_adapter(self) -> dict[str, Any]:
        """The arguments of an adapter.

        Raises:
            UsageError: the cell is not said.
        """
        if self.cell is None:
            raise UsageError("an adapter must know the cell: give cell='lstm' or another")
        return {"cell": self.cell, "arrays": self.convention}


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
    load: Callable[[str, Wanted], "Kernel"]


@dataclass(frozen=True)
class Adapter:
    """A kind of object that is no kernel, but can be made one.

    Attributes:
        base: the module and name of the class that it, or its class, descends from.
        adapt: the kernel.
    """

    base: tuple[str, str]
    adapt: Callable[[Any, Wanted], "Kernel"]

    def fits(self, found: Any) -> bool:
        """Whether the object, or the class, is of this kind; imports nothing."""
        made = found if isinstance(found, type) else type(found)
        return any((c.__module__, c.__name__) == self.base for c in made.__mro__)


def load_implementation(
    text: str, *, cell: str | None = None, convention: str | None = None
) -> "Kernel":
    """The implementation that `text` names, by the first row of `FORMS` that matches.

    A class is instantiated without arguments, if it is not of a kind in `ADAPTED`. `backward` may
    be missing.

    Args:
        cell, convention: for an adapter: the cell's name or file, and the name of a row of
            `verify.conventions`.

    Raises:
        UsageError: one line: what is missing, or how the import failed.
    """
    wanted = Wanted(cell, convention)
    for form in FORMS:
        if form.matches(text):
            return form.load(text, wanted)
    forms = ", ".join(form.shown for form in FORMS)
    raise UsageError(f"'{one_line(text, 60)}' names no implementation; write {forms}")


def kernel_from_source(source: str) -> "Kernel":
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


def _from_file(text: str, wanted: Wanted) -> "Kernel":
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
    return _named(module, name, place, wanted)


def _from_module(text: str, wanted: Wanted) -> "Kernel":
    place, _, name = text.partition(":")
    with _importable(Path.cwd()):
        try:
            module = importlib.import_module(place)
        except (Exception, SystemExit) as error:
            shown = one_line(place, 80)
            raise UsageError(f"module '{shown}' fails to import: {_said(error)}") from None
    return _named(module, name, place, wanted)


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Imports find what lies in `folder`, as they do for a script there."""
    entry = str(folder.resolve())
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        sys.path.remove(entry)


def _named(module: ModuleType, name: str, place: str, wanted: Wanted) -> "Kernel":
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
    adapter = next((row for row in ADAPTED if row.fits(found)), None)
    if adapter is not None:
        return _adapted(adapter, found, wanted, shown)
    if isinstance(found, type):
        try:
            found = found()
        except (Exception, SystemExit) as error:
            raise UsageError(
                f"'{shown}' cannot be made without arguments: {_said(error)}; name an instance"
            ) from None
    return _checked(found, f"'{shown}'")


def _adapted(adapter: Adapter, found: Any, wanted: Wanted, shown: str) -> "Kernel":
    try:
        return adapter.adapt(found, wanted)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"'{shown}' cannot be adapted: {_said(error)}") from None


def _checked(found: Any, shown: str) -> "Kernel":
    if not callable(getattr(found, "forward", None)):
        raise UsageError(
            f"{shown} has no forward; expected forward(params, x, state_0=None, *, lengths=None) "
            "and backward(params, tape, dy=None, dstate_T=None)"
        )
    from verify.adapters.filling import filled

    return cast("Kernel", filled(found))


def _said(error: BaseException) -> str:
    return one_line(f"{type(error).__name__}: {error}", 200)


COMMAND = "cmd:"


def _command(text: str) -> bool:
    return text.startswith(COMMAND)


def _from_onnx(text: str, wanted: Wanted) -> "Kernel":
    from verify.adapters.onnx_model import onnx_model

    path = Path(text)
    if not path.is_file():
        raise UsageError(f"'{one_line(text, 80)}' is not a file")
    return onnx_model(path, cell=wanted.for_adapter()["cell"])


def _from_command(text: str, wanted: Wanted) -> "Kernel":
    from verify.adapters.program import program

    command = text.removeprefix(COMMAND)
    return program(command, cell=wanted.for_adapter()["cell"])


def _torch(found: Any, wanted: Wanted) -> "Kernel":
    from verify.adapters.torch_module import torch_module

    return torch_module(found, **wanted.for_adapter())


def _keras(found: Any, wanted: Wanted) -> "Kernel":
    from verify.adapters.keras_layer import keras_layer

    return keras_layer(found, **wanted.for_adapter())


ADAPTED: tuple[Adapter, ...] = (
    Adapter(("keras.src.layers.layer", "Layer"), _keras),  # on torch it is a Module as well
    Adapter(("torch.nn.modules.module", "Module"), _torch),
)

FORMS: tuple[Form, ...] = (
    Form("path.py", lambda text: not _command(text) and text.endswith(".py"), _from_file),
    Form(
        "path.py:NAME",
        lambda text: not _command(text) and text.rpartition(":")[0].endswith(".py"),
        _from_file,
    ),
    Form("model.onnx", lambda text: not _command(text) and text.endswith(".onnx"), _from_onnx),
    Form(
        "module:NAME",
        lambda text: (
            not _command(text)
            and all(p.isidentifier() for p in text.replace(":", ".", 1).split("."))
        ),
        _from_module,
    ),
    Form("'cmd:PROGRAM ARGUMENTS'", _command, _from_command),
)
