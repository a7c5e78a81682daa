"""The lines of a script that make recorded calls again."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from verify.kernels import Array
from verify.reproduction.literals import Store, literal
from verify.reproduction.places import Place
from verify.reproduction.recording import Call

__all__ = ["Calls"]


class Calls:
    """The calls of a script, with a variable for each argument and each result.

    Attributes:
        many: whether forward runs more than once, so that each run needs arrays of its own.
        size: how many numbers the lines that were made so far define.
    """

    def __init__(self, calls: Sequence[Call], store: Store | None) -> None:
        self.calls = calls
        self.store = store
        self.size = 0
        self.many = sum(c.kind == "forward" for c in calls) > 1
        self.known: dict[str, list[tuple[str, Any]]] = {}
        forwards = [k for k, c in enumerate(calls) if c.kind == "forward"]
        backwards = [k for k, c in enumerate(calls) if c.kind == "backward"]
        groups = (forwards, backwards)
        self.suffix = {k: _suffix(n) for group in groups for n, k in enumerate(group)}
        self.names: dict[tuple[int, str], str] = {}

    def body(self, before: Iterator[str]) -> Iterator[str]:
        """The lines that make the calls, with the arguments; `before` stands before the last."""
        lines: list[str] = []
        for k, call in enumerate(self.calls):
            given = []
            for role, value in call.arguments.items():
                if value is None:
                    text = "None"
                else:
                    name, new = self.variable(role, value)
                    yield from new
                    self.names[k, role] = name
                    text = f"strided({name})" if call.strided else name
                    if self.many and not call.strided:
                        text = f"deepcopy({name})"
                given.append((role, text))
            if k == len(self.calls) - 1:
                lines += before
            lines.append(self.line(k, call, given))
        yield ""
        yield from lines

    def line(self, k: int, call: Call, given: list[tuple[str, str]]) -> str:
        end, texts = self.suffix[k], dict(given)
        if call.kind == "forward":
            shown = [texts["params"], texts["x"]]
            shown += [texts["state_0"]] if texts["state_0"] != "None" else []
            shown += [f"lengths={texts['lengths']}"] if texts["lengths"] != "None" else []
            return f"y{end}, state_T{end}, tape{end} = layer.forward({', '.join(shown)})"
        tape = f"tape{self.suffix[call.tape_of]}"
        shown = [texts["params"], tape, texts["dy"], texts["dstate_T"]]
        return f"grads{end} = layer.backward({', '.join(shown)})"

    def argument(self, name: str) -> str:
        """An expression for an argument of the last call, as properties name it; '' if none is."""
        last = len(self.calls) - 1
        root, bracket, rest = name.partition("[")
        if (last, root) in self.names:
            return f"{self.names[last, root]}{bracket}{rest}"
        x = self.names.get((last, "x"))
        if x is None:
            return ""
        return f'{x}["{name}"]' if isinstance(self.calls[last].arguments["x"], Mapping) else x

    def variable(self, role: str, value: Any) -> tuple[str, list[str]]:
        """A variable that holds the value, and the lines that define it if it is new."""
        held = self.known.setdefault(role, [])
        for name, other in held:
            if _equal(value, other):
                return name, []
        name = f"{role}{_suffix(len(held))}"
        base = next((pair for pair in held if _alike(value, pair[1])), None)
        held.append((name, value))
        if not isinstance(value, Mapping):
            return name, [f"{name} = {self.text(value, role, 0)}"]
        if base is None:
            lines = [f'    "{n}": {self.text(a, n, 4)},' for n, a in value.items()]
            return name, [f"{name} = {{", *lines, "}"]
        changed = {n: a for n, a in value.items() if not _equal(a, base[1][n])}
        lines = [f'    "{n}": {self.text(a, n, 4)},' for n, a in changed.items()]
        return name, [f"{name} = {base[0]} | {{", *lines, "}"]

    def text(self, array: Array, name: str, indent: int) -> str:
        self.size += array.size
        if self.store is None:
            return literal(array, indent, len(name) + 4)
        return self.store.literal(array, name)

    def entry(self, name: str, place: Place) -> str:
        """An expression for a place."""
        parts = [f"{self.result(k, name)}[{', '.join(map(str, place.index))}]" for k in place.calls]
        factor = "" if place.factor == 1.0 else f" * {place.factor!r}"
        return " + ".join(parts) + factor

    def result(self, k: int, name: str) -> str:
        """An expression for a result of a call."""
        end, call = self.suffix[k], self.calls[k]
        if call.kind == "backward":
            return f'grads{end}["{name}"]'
        return f"y{end}" if name == "y" else f'state_T{end}["{name.removesuffix("_T")}"]'


def _suffix(number: int) -> str:
    return f"_{number + 1}" if number else ""


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Mapping) or isinstance(b, Mapping):
        both = isinstance(a, Mapping) and isinstance(b, Mapping)
        return both and list(a) == list(b) and all(_equal(a[n], b[n]) for n in a)
    same = a.dtype == b.dtype and a.shape == b.shape
    return bool(same and a.tobytes() == b.tobytes())


def _alike(a: Any, b: Any) -> bool:
    """Whether two dicts have the same names, and some equal arrays."""
    both = isinstance(a, Mapping) and isinstance(b, Mapping)
    return both and list(a) == list(b) and any(_equal(a[n], b[n]) for n in a)
