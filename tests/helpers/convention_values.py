"""Arrays for conventions: distinct whole numbers of every shape that a row asks for."""

from functools import cache

import numpy as np

from derive import zoo
from verify.conventions import CONVENTIONS, convention, from_cell, to_cell

__all__ = [
    "NAMES",
    "ROWS",
    "SIZES",
    "assert_equal",
    "cell",
    "known",
    "params_of",
    "shapes",
    "spelled",
    "whole_numbers",
]

SIZES = {"n": 3, "m": 2, "p": 4}
CELLS = sorted({row.cell for row in CONVENTIONS.values()})
NAMES = [*CONVENTIONS, *CELLS]  # a cell's own parameters are a convention too
ROWS = {name: convention(name) for name in NAMES}


@cache
def shapes(name):
    row = ROWS[name]
    zeros = {p.name: np.zeros([SIZES[str(d)] for d in p.shape]) for p in cell(row.cell).parameters}
    return {array: a.shape for array, a in from_cell(row, zeros).items()}


@cache
def cell(name):
    return zoo.load(name)


def whole_numbers(name, seed):
    """Distinct whole numbers: sums of them are exact, so equality needs no tolerance."""
    numbers = iter(np.random.default_rng(seed).permutation(2000).astype(float))
    return {k: np.array([next(numbers) for _ in range(np.prod(s))]).reshape(s)
            for k, s in shapes(name).items()}  # fmt: skip


def spelled(name, arrays, place=0):
    return {ROWS[name].spelled[place].format(k): a for k, a in arrays.items()}


def known(name):
    """What the shape of a flat array does not tell."""
    row = ROWS[name]
    return {"n": SIZES["n"]} if any(len(stacks) > 1 for stacks in row.arrays.values()) else None


def params_of(name, arrays):
    row = ROWS[name]
    plain = {k: a for array in row.arrays for k, a in arrays.items() if k == array} or {
        array: arrays[row.spelled[0].format(array)] for array in row.arrays
    }
    return to_cell(row, plain, sizes=known(name))


def assert_equal(got, expected):
    assert got.keys() == expected.keys()
    for name in got:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)
