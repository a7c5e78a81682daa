"""Which column of the gate buffer each linear node gets, so that neighbours share one call."""

from collections.abc import Hashable, Mapping, Sequence
from itertools import permutations

__all__ = ["arranged", "runs"]

MAX_CLASSES = 6


def arranged(traits: Mapping[str, tuple[Hashable, ...]]) -> list[str]:
    """Names in an order in which equal traits stand together as often as possible.

    Args:
        traits: for each name, one value for each trait; None means the name lacks the trait, and
            then it need not stand anywhere.
    """
    classes: dict[tuple[Hashable, ...], list[str]] = {}
    for name, values in traits.items():
        classes.setdefault(values, []).append(name)
    kinds = list(classes)
    if len(kinds) <= MAX_CLASSES:
        kinds = min((list(order) for order in permutations(kinds)), key=_breaks)
    return [name for kind in kinds for name in classes[kind]]


def _breaks(kinds: Sequence[tuple[Hashable, ...]]) -> int:
    """How many runs of equal traits an order has."""
    total = 0
    for column in zip(*kinds, strict=True):
        before: Hashable = None
        for value in column:
            total += value is not None and value != before
            before = value
    return total


def runs(order: Sequence[str], chosen: Sequence[str]) -> list[tuple[str, ...]]:
    """`chosen` in groups that stand side by side in `order`."""
    groups: list[list[str]] = []
    place = {name: k for k, name in enumerate(order)}
    for name in sorted(chosen, key=place.__getitem__):
        if groups and place[name] == place[groups[-1][-1]] + 1:
            groups[-1].append(name)
        else:
            groups.append([name])
    return [tuple(group) for group in groups]
