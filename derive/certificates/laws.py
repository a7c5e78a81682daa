"""Laws of a step, read off the equations and the sweep."""

from collections.abc import Callable, Mapping
from itertools import product

from derive.certificates.declarations import RefusedError
from derive.certificates.forms import names_in
from derive.certificates.indices import SINGLE, Poly, Size, at_most, less
from derive.certificates.subject import Subject

__all__ = ["DECIDED"]


def law(subject: Subject, said: str = "") -> list[str]:
    """What the reader has found already, for the equations and for the assignments.

    Every name in them is an input, a parameter, a state of step t-1 or one that stands before, and
    the language has no operation along time or along sequences.
    """
    return _same(said, ", ".join(subject.states) if said else "")


def _same(said: str, wanted: str) -> list[str]:
    if said != wanted:
        raise RefusedError(f"it is about {wanted[:60] or 'nothing'}")
    return []


def truncation(subject: Subject, said: str) -> list[str]:
    """Every cotangent is linear in those of which it is made: the parts of a sum go back alone."""
    sweep = subject.sweep
    arriving = {"dy", *(f"carry({s})" for s in subject.states)}
    arriving |= {f"bar({v})" for v in sweep.values}
    for name, poly in sweep.written.items():
        for _, factors, _ in poly:
            inside = {
                n for atom, _ in factors if "#" in atom for n in names_in(sweep.algebra, atom)
            }
            if sum(atom in arriving for atom, _ in factors) != 1 or arriving & inside:
                raise RefusedError(f"the cotangent of '{name}' is not linear in what arrives")
    return _same(said, ", ".join(f"carry({state})" for state in subject.states))


Parts = dict[tuple[str, int], set[tuple[Size, Size]]]


def units(subject: Subject, said: str) -> list[str]:
    """Every index runs over a whole axis, or over a part of one that is always read by itself."""
    step, parts = subject.step, Parts()
    for name, poly in step.equations.items():
        rows, columns = step.shapes[name]
        _read(subject, poly, {"i": ((), rows), "j": ((), columns)}, parts, name)
    for (name, place), found in parts.items():
        size = step.reader.shapes[name][place]
        kind = step.cell.kinds.get(name.partition("[")[0])
        one = len(size) == 1 == size[0][1]
        if found != {((), size)} and (kind in ("input", "state") or (kind and one)):
            raise RefusedError(f"an axis of '{name}' is read in parts")
        for (lo, length), (other, more) in product(found, found):
            apart = at_most(_plus(lo, length), other) or at_most(_plus(other, more), lo)
            if (lo, length) != (other, more) and not apart:
                raise RefusedError(f"the parts of an axis of '{name}' overlap")
    sizes = {n for s in subject.states for size in step.shapes[s] for n, _ in size if n}
    return _same(said, ", ".join(sorted(sizes)) or "fixed size")


def _plus(a: Size, b: Size) -> Size:
    return less(a, less((), b))


def _read(
    subject: Subject,
    poly: Poly,
    labels: Mapping[str, tuple[Size, Size]],
    parts: Parts,
    of: str = "",
) -> None:
    """Which parts (start, length) of its axes each name is read in, or `of` is made of."""
    algebra = subject.step.algebra
    for _, factors, bounds in poly:
        at = {"0": ((), SINGLE), **labels, **{f"#{k}": ((), n) for k, n in enumerate(bounds)}}
        for atom, ((label, offset), _) in factors:
            if atom.startswith("rows#"):  # a part of a stack
                lo, hi = algebra.meaning[atom]
                at[label] = (less(lo, offset), less(hi, lo))
        used = {label for _, axes in factors for label, _ in axes}
        for place, label in enumerate("ij" if of else ""):
            if label in used:
                parts.setdefault((of, place), set()).add(at[label])
        for atom, axes in factors:
            read = [(_plus(at[label][0], offset), at[label][1]) for label, offset in axes]
            if "#" not in atom:
                for place in (0, 1):
                    parts.setdefault((atom, place), set()).add(read[place])
            elif not atom.startswith("rows#"):
                key, size = algebra.meaning[atom]
                _read(
                    subject,
                    dict(key),
                    {"i": ((), size) if size else read[0], "j": read[1]},
                    parts,
                )


DECIDED: Mapping[str, tuple[Callable[..., list[str]], None]] = {
    "truncation": (truncation, None),
    "chaining": (law, None),
    "padding": (law, None),
    "independent sequences": (law, None),
    "exchanged units": (units, None),
}
