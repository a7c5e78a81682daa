"""One step, value by value: what a model gives is computed only as far as it is asked for.

Most models differ from another one in a formula or two. What these do not reach is shared.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from derive.cell import Equation, Variable
from derive.evaluate import lagged
from derive.expressions import Expr, MatrixSymbol
from derive.gradients import Adjoint, Gradients, carry, upstream
from verify.deviations.machine import arrays
from verify.deviations.model import Model
from verify.deviations.programs import program
from verify.deviations.running import Quick, Run, states_of
from verify.kernels import Array, Example, as_array, as_value, columns_of, sizes_of

__all__ = ["OneStep", "hooked"]

# A formula with a name: an equation of forward, or a cotangent.
Node = Equation | Adjoint
Nodes = Mapping[str, Node]

_HOOKS = ("given", "upstream", "tape", "carrying", "summing", "finishing")
_AROUND = ("shows", "starting", "ending", "values", "leaving", "wrap", "precision")


def hooked(model: Model, forward: bool = False) -> bool:
    """Whether anything but formulas is changed in backward, or in all."""
    names = (*_HOOKS, *_AROUND) if forward else _HOOKS
    return not model.holds or bool(model.early) or any(getattr(model, n) for n in names)


def _cotangents(g: Gradients) -> dict[str, Node]:
    ends: dict[str, Node] = {f"d {a.of.name}": a for a in (*g.parameters, *g.inputs)}
    starts = {f"d {a.of.name.partition('[')[0]}_0": a for a in g.states}
    return {f"bar({a.of.name})": a for a in g.backward} | ends | starts


def _elsewhere(model: Model) -> bool:
    """Whether backward reads values of other steps."""
    if model.formulas is None:
        return False
    known = {s.before.name for s in model.cell.states}
    read = {
        n.name for a in _cotangents(model.formulas).values() for n in a.value.atoms(MatrixSymbol)
    }
    return any("[" in name for name in read - known)


def _same(one: Node, other: Node) -> bool:
    if one is other:
        return True
    a, b = (
        [t.value for t in n.terms] if isinstance(n, Adjoint) else [n.value] for n in (one, other)
    )
    return len(a) == len(b) and all(x is y for x, y in zip(a, b, strict=True))


@dataclass(eq=False)
class _Known(dict[str, Any]):
    """Values by name; one that is not known yet is computed when it is read."""

    nodes: Nodes
    compute: Callable[[Expr, "_Known"], Any]
    base: "_Known | None" = None
    off: dict[str, bool] = field(default_factory=dict)
    reads: dict[int, tuple[Node, frozenset[str]]] = field(default_factory=dict)

    def __missing__(self, name: str) -> Any:
        node = self.nodes[name]
        if self.base is not None and not self.reached(name):
            self[name] = self.base[name]
        else:
            self[name] = self.compute(node.value, self)
        return self[name]

    def read(self, node: Node) -> frozenset[str]:
        """The names in a formula."""
        if id(node) not in self.reads:
            values = [t.value for t in node.terms] if isinstance(node, Adjoint) else [node.value]
            names = frozenset(n.name for v in values for n in v.atoms(MatrixSymbol))
            self.reads[id(node)] = node, names
        return self.reads[id(node)][1]

    def reached(self, name: str) -> bool:
        """Whether a formula that differs from the base's takes part in this value."""
        node = self.nodes.get(name)
        if node is None or self.base is None:
            return False
        if name not in self.off:
            same = _same(node, self.base.nodes[name])
            self.off[name] = not same or any(self.reached(n) for n in self.read(node))
        return self.off[name]


@dataclass
class OneStep:
    """What models give on an example of one step that all rows take.

    Args:
        base: the model that others are held against.
        run: its forward.
    """

    base: Model
    run: Run

    @property
    def example(self) -> Example:
        """The example."""
        return self.run.example

    @staticmethod
    def fits(base: Model, example: Example) -> bool:
        """Whether the example has one step, and the base is nothing but formulas."""
        whole = example.lengths is None or bool(np.all(np.asarray(example.lengths) == 1))
        plain = whole and not hooked(base) and not _elsewhere(base)
        return example.steps == 1 and example.batch > 0 and plain

    def knows(self, model: Model) -> bool:
        """Whether the model differs from the base in formulas alone."""
        if model.runs_forward_as(self.base):
            return not hooked(model)
        return model.formulas is None and not (hooked(model, True) or hooked(self.base, True))

    @cached_property
    def right(self) -> Callable[[str], Array]:
        """The results of the base."""
        return self.asked(self.base)

    def touched(self, model: Model, names: Iterable[str]) -> list[str]:
        """The results that a formula takes part in that is another than the base's."""
        if not self.knows(model) or not model.runs_forward_as(self.base):
            return list(names)
        known = self._backward(model)
        return [n for n in names if known.reached(n)]

    def asked(self, model: Model) -> Callable[[str], Array]:
        """A function that computes one result of a model that it knows.

        It raises KeyError for what it cannot compute.
        """
        back = model.runs_forward_as(self.base)
        known = self._backward(model) if back else self._forward(model)

        def compute(name: str) -> Array:
            if not back:
                return self._value(name, known)
            if not name.startswith("d "):
                return self._outputs[name]
            return self._gradient(name, known)

        return compute

    @cached_property
    def _field(self) -> Quick:
        return Quick()

    @cached_property
    def _sizes(self) -> Any:
        return sizes_of(self.example)

    def _compute(self, value: Expr, known: _Known) -> Any:
        with np.errstate(all="ignore"):
            return program(value)(known, self._sizes, self._field)

    @cached_property
    def _outputs(self) -> dict[str, Array]:
        return arrays(self.example, self.run.outputs, lambda a: a)

    @cached_property
    def _back(self) -> _Known:
        return self._known(_cotangents(self.base.derived), self._arriving)

    @cached_property
    def _arriving(self) -> dict[str, Any]:
        """What backward starts from."""
        e, cell, q = self.example, self.base.equations, self._field
        dy = q.zeros((1, 1, 1)) if e.dy is None else q.given(as_value(e.dy[0], cell.output))
        states = states_of(e, e.dstate_T, q)
        carried = {carry(s).name: states[s.name] for s in cell.states}
        return {**self.run.known[0], upstream(cell).name: dy, **carried}

    @cached_property
    def _fore(self) -> _Known:
        return self._known({e.name: e for e in self.base.equations.equations}, self._given)

    @cached_property
    def _given(self) -> dict[str, Any]:
        """What forward starts from."""
        e, cell, q = self.example, self.base.equations, self._field
        fixed = {p.name: q.given(as_value(e.params[p.name], p)) for p in cell.parameters}
        inputs = {v.name: q.given(as_value(e.inputs[v.name][0], v)) for v in cell.inputs}
        return {**fixed, **inputs, **lagged(states_of(e, e.state_0, q))}

    def _known(self, nodes: Nodes, values: Mapping[str, Any], base: _Known | None = None) -> _Known:
        found = _Known(nodes, self._compute, base, reads={} if base is None else base.reads)
        found.update(values)
        return found

    def _backward(self, model: Model) -> _Known:
        return self._known(_cotangents(model.derived), self._arriving, self._back)

    def _forward(self, model: Model) -> _Known:
        nodes = {e.name: e for e in model.equations.equations}
        return self._known(nodes, self._given, self._fore)

    def _gradient(self, name: str, known: _Known) -> Array:
        variable, kind = self._shapes[name]
        whole = self._whole(known[name], variable)
        if kind == "parameter":
            return as_array(np.sum(whole, axis=0), variable)
        found = as_array(whole, variable)
        return found[None] if kind == "input" else found

    def _value(self, name: str, known: _Known) -> Array:
        state, kind = self._shapes[name]
        found = as_array(self._whole(known[state.name], state), state)
        return found[None] if kind == "output" else found

    def _whole(self, value: Array, variable: Variable) -> Array:
        """The value with a batch, if it has none yet."""
        return np.broadcast_to(value, (self.example.batch, *columns_of(variable, self._sizes)))

    @cached_property
    def _shapes(self) -> dict[str, tuple[Variable, str]]:
        """By result: the variable whose shape it has, and what it is."""
        cell = self.base.equations
        found = {f"d {v.name}": (v, "parameter") for v in cell.parameters}
        found |= {f"d {v.name}": (v, "input") for v in cell.inputs}
        found |= {f"d {s.name}_0": (s, "state") for s in cell.states}
        found |= {f"{s.name}_T": (s, "state") for s in cell.states}
        return found | {"y": (cell.output, "output")}
