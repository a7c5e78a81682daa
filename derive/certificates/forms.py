"""Polynomials as text: the normal forms that a certificate has, and what an atom is made of."""

import hashlib

from derive.certificates.algebra import Algebra
from derive.certificates.indices import ONLY, Axis, Poly, Size

__all__ = ["names_in", "shown"]

MAX_SHOWN = 100  # monomials in a certificate; more have a digest


def shown(a: Algebra, poly: Poly) -> list[str]:
    """A polynomial as text, a monomial each: `-2 n**-1 f[i] tanh{C[i]}[i]`."""
    found = []
    for (powers, factors, bounds), value in poly.items():
        parts = [str(value), *(f"{n}**{e}" for n, e in powers)]
        parts += [f"sum({k}<{size_text(size)})" for k, size in enumerate(bounds)]
        names = (_told(a, atom) + "".join(map(index_text, axes)) for atom, axes in factors)
        found.append(" ".join([*parts, *sorted(names)]))
    if len(found) <= MAX_SHOWN:
        return sorted(found)
    whole = hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()
    return [f"{len(found)} monomials with the digest {whole}"]


def _told(a: Algebra, atom: str) -> str:
    if "#" not in atom:
        return atom
    function = atom.partition("#")[0]
    if function == "rows":
        return "rows{{{}, {}}}".format(*map(size_text, a.meaning[atom]))
    return f"{function}{{{' + '.join(shown(a, dict(a.meaning[atom][0])))}}}"


def names_in(a: Algebra, atom: str) -> set[str]:
    """The names that an atom is made of."""
    if "#" not in atom:
        return {atom}
    if atom.startswith("rows#"):
        return set()
    inside = (x for (_, factors, _), _ in a.meaning[atom][0] for x, _ in factors)
    return {name for other in inside for name in names_in(a, other)}


def size_text(size: Size) -> str:
    """A size as text."""
    return " + ".join(f"{count} {name}".strip() for name, count in size) or "0"


def index_text(axis: Axis) -> str:
    """An index as text."""
    return "" if axis == ONLY else f"[{axis[0]}{' + ' + size_text(axis[1]) if axis[1] else ''}]"
