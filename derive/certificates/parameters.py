"""Claims about parameters: how many, second biases, and two layers with each other's."""

import ast
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import product

from derive.certificates.declarations import RefusedError, tangent
from derive.certificates.examples import Example, begun
from derive.certificates.forms import shown
from derive.certificates.indices import SINGLE, Poly, Size, UncheckedError, add, less
from derive.certificates.ranges import Ranges
from derive.certificates.subject import Subject
from derive.certificates.sweep import inner
from derive.certificates.values import Array, Run, far

__all__ = ["DECIDED"]

PRODUCT = "product__"  # no name of the language ends so


def parameters(subject: Subject, times: str, said: str) -> tuple[Poly, Poly]:
    """How many parameters there are, and how many k layers have: polynomials in sizes."""
    step = subject.step
    if not step.cell.of("input"):
        raise RefusedError("the cell has no input")
    (n, _), (m, _) = (step.shapes[step.cell.of(kind)[0]] for kind in ("state", "input"))
    own = [step.shapes[name] for name in step.cell.of("parameter")]
    total = add({}, *(step.algebra.times(_count(r), _count(c)) for r, c in own))
    layer = step.algebra.times(_count(n), _count(less(less(n, less((), m)), less((), SINGLE))))
    wanted = {monomial: int(times) * value for monomial, value in layer.items()}
    if step.reader.read(said).poly != wanted:
        raise RefusedError("that is another number")
    return total, wanted


def _count(size: Size) -> Poly:
    return {((((n, Fraction(1)),) if n else ()), (), ()): Fraction(k) for n, k in size}


def second_bias(subject: Subject, bias: str, said: str) -> list[tuple[Poly, Poly]]:
    """The gradients of the bias and of a second one, paired with a tangent; for each place."""
    sweep, reader = subject.sweep, subject.sweep.reader
    if bias not in subject.step.cell.of("parameter"):
        raise RefusedError(f"'{bias[:40]}' is no parameter")
    text = subject.maps.plain(said)
    product = reader.read(text)
    shape = product.shape
    if shape is None or shape != reader.shapes[bias]:
        raise RefusedError(f"`{text[:40]}` has another shape than the bias")
    reader.shapes |= {PRODUCT: shape, tangent(PRODUCT): shape}  # a bias moves it by itself
    d, found = reader.value(tangent(PRODUCT)), []
    wanted = subject.spelled(product.poly)
    for name, value in sweep.texts.items():
        value = " ".join(value.split())  # one line, as places in it are columns
        for node in ast.walk(ast.parse(value, mode="eval")):
            match node:
                case ast.BinOp(op=ast.MatMult(), col_offset=at, end_col_offset=end):
                    if subject.spelled(reader.tree(node).poly) != wanted:
                        continue
                case _:
                    continue
            put = reader.read(value[:at] + PRODUCT + value[end:], reader.shapes[name])
            moved = sweep.algebra.differential(put.poly, {PRODUCT: d})
            right = inner(sweep.algebra, reader.value(f"bar({name})"), moved, reader.shapes[name])
            found.append((inner(sweep.algebra, sweep.written[bias], d, shape), right))
    if not found:
        raise UncheckedError(f"`{text[:40]}` does not stand in the assignments")
    return found


def same_bias(subject: Subject, bias: str, said: str) -> list[str]:
    """Both gradients have one form, wherever the product stands."""
    a, closed = subject.sweep.algebra, dict[str, Poly]()
    both = second_bias(subject, bias, said)
    for left, right in both:
        if left != right and not closed:  # cotangents in what arrives from outside
            for name in reversed(tuple(subject.sweep.texts)):
                closed[f"bar({name})"] = a.substituted(subject.sweep.written[name], closed)
        if left != right and a.substituted(left, closed) != a.substituted(right, closed):
            raise RefusedError("the two gradients have different normal forms")
    return shown(a, both[0][1])


def other_bias(subject: Subject, example: Example, bias: str, said: str) -> None:
    """The numbers are as written; and both gradients differ for a sweep with other numbers, too.

    A sweep has fewer cotangents to choose than there are names: the example may give any of them.
    """
    sweep, places = subject.sweep, second_bias(subject, bias, said)
    shape = sweep.reader.shapes[bias]
    for both in places:
        run, _ = begun(subject.maps, example, 0, sweep=sweep)
        given = {subject.maps.name(name) for name in example.values}
        sides = _entries(_swept(subject, run, given), both, shape)
        run.values = {n: _drawn(k, v) for k, (n, v) in enumerate(run.values.items())}
        if example.is_of(*sides) and far(*_entries(_swept(subject, run, set()), both, shape)):
            return example.differ(*sides)
    raise RefusedError("the counterexample's numbers do not tell the two gradients apart")


def _swept(subject: Subject, run: Run, given: set[str]) -> Run:
    """A step and its sweep; cotangents that are given stay."""
    sweep = subject.sweep
    run.steps(1, lambda name, back: name, {})
    for name in (f"bar({name})" for name in reversed(tuple(sweep.values))):
        if name not in given:
            shape = sweep.reader.shapes[name]
            run.values[name] = run.array(sweep.written[name[4:-1]], shape, str)
    return run


def _drawn(k: int, zeros: Array) -> Array:
    """Any numbers that are not alike."""
    return [
        [complex(((7 * k + 5 * i + 3 * j) % 11) / 8 + 1 / 16) for j in range(len(row))]
        for i, row in enumerate(zeros)
    ]


def _entries(run: Run, both: tuple[Poly, Poly], shape: tuple[Size, Size]) -> tuple[Array, Array]:
    """Gradients from what they are paired with: a tangent of 1 in one entry after another."""
    rows, columns = range(run.size(shape[0])), range(run.size(shape[1]))
    found = []
    for poly in both:
        gradient = run.zeros(shape)
        for i, j in product(rows, columns):
            run.values[tangent(PRODUCT)] = run.zeros(shape)
            run.values[tangent(PRODUCT)][i][j] = 1 + 0j
            gradient[i][j] = run.array(poly, (SINGLE, SINGLE), str)[0][0]
        found.append(gradient)
    return found[0], found[1]


def _swap(subject: Subject, first: str, second: str) -> dict[str, str]:
    """The parameters of two layers, one for the other: with them one argument is the other."""
    sweep, cell, a = subject.sweep, subject.step.cell, subject.sweep.algebra
    atoms = [a.function(sweep.values.get(name, {})) for name in (first, second)]
    if None in atoms or first == second:
        raise RefusedError("these are no two layers")
    (f, one), (g, other) = ((str(x).partition("#")[0], dict(a.meaning[str(x)][0])) for x in atoms)
    texts = [sweep.texts[_argument(sweep.texts[name])] for name in (first, second)]
    own, its = ([w for w in re.findall(r"\w+", t) if w in cell.of("parameter")] for t in texts)
    swap = dict(zip((*own, *its), (*its, *own), strict=False))
    whole = Ranges(a, sweep.values).whole
    one, other = (a.substituted(poly, whole) for poly in (one, other))
    turned = a.substituted(one, {n: sweep.reader.value(m) for n, m in swap.items()})
    if f != g or turned != other or {*own} & {*its}:
        raise RefusedError("exchanging these parameters does not exchange the two")
    return swap


def _argument(text: str) -> str:
    return text.partition("(")[2].removesuffix(")")


def still_exchanged(subject: Subject, state: str, first: str, second: str) -> list[str]:
    """The state does not read what is exchanged, or reads both alike."""
    a, reader = subject.sweep.algebra, subject.sweep.reader
    values: dict[str, Poly] = {}
    for name, poly in subject.sweep.values.items():
        values[name] = a.substituted(poly, values)
    swap = {n: reader.value(m) for n, m in _swap(subject, first, second).items()}
    if a.substituted(values[state], swap) != values[state]:
        raise RefusedError("the state is another one with these parameters exchanged")
    return []


def not_exchanged(subject: Subject, example: Example, state: str, first: str, second: str) -> None:
    """A step with the numbers, and one with the parameters exchanged."""
    found = []
    for swap in ({}, _swap(subject, first, second)):
        run, _ = begun(subject.maps, example, 0)
        run.values |= {name: run.values[other] for name, other in swap.items()}
        run.steps(1, subject.step.at, {})
        found.append(run.values[state])
    turned = found if example.is_of(found[0], found[1]) else found[::-1]
    example.differ(turned[0], turned[1])


def counted(subject: Subject, times: str, said: str) -> list[str]:
    """The shapes of all parameters add up to it."""
    total, wanted = parameters(subject, times, said)
    if total != wanted:
        raise RefusedError("the parameters are more, or fewer")
    return []


def not_counted(subject: Subject, example: Example, times: str, said: str) -> None:
    """With sizes in numbers."""
    run = Run(subject.step.algebra, {}, {}, example.sizes)
    total, wanted = parameters(subject, times, said)
    example.differ(*(run.array(poly, (SINGLE, SINGLE), str) for poly in (total, wanted)))


DECIDED: Mapping[str, tuple[Callable[..., list[str]], Callable[..., None]]] = {
    "parameters": (counted, not_counted),
    "second bias": (same_bias, other_bias),
    "exchanged parameters": (still_exchanged, not_exchanged),
}
