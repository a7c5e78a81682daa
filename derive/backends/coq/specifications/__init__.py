"""Specifications of cells, written by hand, and the proofs that generated files meet them."""

from importlib.resources import files

from derive.errors import UsageError

__all__ = ["specification", "specified"]


def specified() -> tuple[str, ...]:
    """The cells that have one."""
    folder = files("derive.backends.coq.specifications")
    return tuple(sorted(p.name for p in folder.iterdir() if (p / "Spec.v").is_file()))


def specification(name: str) -> tuple[tuple[str, str], ...]:
    """(module, text) of Textbook, Spec and Meets, in the order in which Coq reads them.

    They stand on the generated file, as the module Cell.

    Raises:
        UsageError: no such specification.
    """
    if name not in specified():
        raise UsageError(f"no specification '{name}'; there are {', '.join(specified())}")
    folder = files("derive.backends.coq.specifications")
    places = (("Textbook", folder), ("Spec", folder / name), ("Meets", folder / name))
    return tuple((n, (place / f"{n}.v").read_text(encoding="utf-8")) for n, place in places)
