"""Layers -> their names and sizes in the network: suffixes, and sizes that must be the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import sympy as sp

from derive.cell import Variable
from derive.errors import CellError
from derive.expressions import Shape
from derive.networks.layers import Layer, Pass

__all__ = ["Wired", "Wiring", "wired"]


@dataclass(frozen=True)
class Wired:
    """A layer at its place.

    Attributes:
        number: its place, from 1.
        sizes: what the cell's symbolic sizes are in the network.
        reads: the network's input for each input of the cell but the first.
        mask: the network's input that the layer's input is multiplied by.
    """

    layer: Layer
    number: int
    passes: tuple[Pass, ...]
    sizes: Mapping[sp.Symbol, sp.Expr]
    reads: Mapping[str, str]
    mask: str | None

    def shape(self, shape: Shape) -> Shape:
        """A shape of the cell's in the network's sizes."""
        return tuple(sp.expand(sp.sympify(s).subs(self.sizes, simultaneous=True)) for s in shape)

    @property
    def entering(self) -> sp.Expr:
        """The size of the layer's input."""
        return self.shape(self.layer.cell.inputs[0].shape)[0]

    @property
    def leaving(self) -> sp.Expr:
        """The size of the layer's output."""
        return sp.expand(len(self.passes) * self.shape(self.layer.cell.output.shape)[0])


@dataclass(frozen=True)
class Wiring:
    """All layers, and what the network shows of them."""

    layers: tuple[Wired, ...]
    inputs: tuple[Variable, ...]
    states: tuple[Variable, ...]
    parameters: tuple[Variable, ...]
    output: Variable


def wired(layers: Sequence[Layer]) -> Wiring:
    """Give names and sizes to layers.

    The sizes of layer k carry its number, as n_2, and so do parameters and states; the input of
    the first layer keeps its name and size. Other inputs keep their names where these are free.

    Raises:
        CellError: there is no layer, or sizes do not fit.
    """
    if not layers:
        raise CellError("line 1: a network without a layer; write `layer CELL`, as in `layer lstm`")
    sizes = _sizes(layers)
    names, masks = _input_names(layers)
    found = tuple(
        Wired(layer, number, layer.passes(number), own, reads, mask)
        for number, (layer, own, reads, mask) in enumerate(
            zip(layers, sizes, names, masks, strict=True), start=1
        )
    )
    return Wiring(found, _inputs(found), _states(found), _parameters(found), _output(found))


def _inputs(found: Sequence[Wired]) -> tuple[Variable, ...]:
    first = found[0]
    variables = [Variable(first.layer.cell.inputs[0].name, (first.entering,))]
    for wire in found:
        if wire.mask is not None:
            variables.append(Variable(wire.mask, (wire.entering,)))
        for given in wire.layer.cell.inputs[1:]:
            variables.append(Variable(wire.reads[given.name], wire.shape(given.shape)))
    return tuple(variables)


def _states(found: Sequence[Wired]) -> tuple[Variable, ...]:
    return tuple(
        Variable(one.named(state.name), wire.shape(state.shape))
        for wire in found
        for one in wire.passes
        for state in wire.layer.cell.states
    )


def _parameters(found: Sequence[Wired]) -> tuple[Variable, ...]:
    return tuple(
        Variable(one.named(parameter.name), wire.shape(parameter.shape))
        for wire in found
        for one in wire.passes
        for parameter in wire.layer.cell.parameters
    )


def _output(found: Sequence[Wired]) -> Variable:
    last = found[-1]
    own = last.layer.direction == "forward" and not last.layer.residual
    name = last.passes[0].named(last.layer.cell.output.name) if own else "y"
    return Variable(name, (last.leaving,))


# Names.


def _input_names(
    layers: Sequence[Layer],
) -> tuple[list[dict[str, str]], list[str | None]]:
    """For each layer the network's names of its further inputs, and of its mask."""
    taken = {layers[0].cell.inputs[0].name}
    masks: list[str | None] = []
    wanted: list[str] = []
    for number, layer in enumerate(layers, start=1):
        for one in layer.passes(number):
            taken |= {one.named(p.name) for p in layer.cell.parameters}
            taken |= {one.named(s.name) for s in layer.cell.states}
            taken |= {f"{one.named(s.name)}_0" for s in layer.cell.states}
        masks.append(_free(f"mask_{number}", taken) if layer.dropout else None)
        wanted += [given.name for given in layer.cell.inputs[1:]]
    found = []
    for number, layer in enumerate(layers, start=1):
        names = {}
        for given in layer.cell.inputs[1:]:
            own = wanted.count(given.name) == 1 and given.name not in taken
            names[given.name] = _free(given.name if own else f"{given.name}_{number}", taken)
        found.append(names)
    return found, masks


def _free(name: str, taken: set[str]) -> str:
    """`name`, or the first of its like that nothing has; it is taken then."""
    chosen, count = name, 1
    while chosen in taken:
        count += 1
        chosen = f"{name}_{count}"
    taken.add(chosen)
    return chosen


# Sizes.


def _sizes(layers: Sequence[Layer]) -> list[dict[sp.Symbol, sp.Expr]]:
    """For each layer its cell's sizes in the network's, after neighbours were made to fit."""
    found: list[dict[sp.Symbol, sp.Expr]] = []
    age: dict[sp.Symbol, int] = {}
    before: sp.Expr = None
    for number, layer in enumerate(layers, start=1):
        own = _renamed(layer, number)
        found.append(own)
        entering, leaving = _ends(layer, number, own)
        given = entering.free_symbols if number == 1 else set()  # the network's own are the oldest
        age |= {symbol: 0 if symbol in given else -number for symbol in own.values()}
        if number > 1:
            _fit(found, age, entering, before, layer, number, "the output of the layer before")
            entering, leaving = _ends(layer, number, own)
        if layer.residual:
            _fit(found, age, leaving, entering, layer, number, "its input, which is added")
            leaving = _ends(layer, number, own)[1]
        before = leaving
    return found


def _ends(layer: Layer, number: int, own: dict[sp.Symbol, sp.Expr]) -> tuple[sp.Expr, sp.Expr]:
    wire = Wired(layer, number, layer.passes(number), own, {}, None)
    return wire.entering, wire.leaving


def _renamed(layer: Layer, number: int) -> dict[sp.Symbol, sp.Expr]:
    """Sizes with the layer's number, but those of the network's own input."""
    kept = layer.cell.inputs[0].shape[0].free_symbols if number == 1 else set()
    names = {d: str(d) if d in kept else f"{d}_{number}" for d in layer.cell.dimensions}
    if len(set(names.values())) < len(names):
        names = {d: f"{d}_{number}" for d in names}
    return {d: sp.Symbol(name, integer=True, positive=True) for d, name in names.items()}


def _fit(
    found: list[dict[sp.Symbol, sp.Expr]],
    age: Mapping[sp.Symbol, int],
    size: sp.Expr,
    other: sp.Expr,
    layer: Layer,
    number: int,
    what: str,
) -> None:
    """Make two sizes one, by giving a value to the newest symbol that can take one."""
    terms = sp.expand(size - other).as_coefficients_dict()
    if not any(terms.values()):
        return
    symbols = sorted((s for s in terms if s.is_Symbol), key=lambda s: (age[s], str(s)))
    for symbol in symbols:
        rest = {s: -c / terms[symbol] for s, c in terms.items() if s != symbol}
        if rest and all(c.is_Integer and c >= 0 for c in rest.values()) and any(rest.values()):
            value = {symbol: sum(c * s for s, c in rest.items())}
            for sizes in found:
                sizes.update({d: e.subs(value) for d, e in sizes.items()})
            return
    of = "output" if what.startswith("its") else "input"
    _refuse(layer, number, f"the {of} of layer {number} has size {size}", f"{other}, as {what}")


def _refuse(layer: Layer, number: int, what: str, expected: str) -> NoReturn:
    place = f"line {layer.line}" if layer.line else f"layer {number}"
    raise CellError(f"{place}: {what}, expected {expected}, in `{layer}`")
