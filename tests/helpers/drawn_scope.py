"""What an equation that is drawn may read, and the expressions that are drawn from it."""

from dataclasses import dataclass, field

from hypothesis import strategies as st

from derive.primitives import PRIMITIVES

__all__ = ["NUMBERS", "SMOOTH", "Scope"]

NUMBERS = ("2", "3", "0.5", "1.25", "0.1")
_REALS = (float("-inf"), float("inf"))
# Functions that are smooth everywhere: their arguments may be anything.
SMOOTH = tuple(
    name
    for name, row in PRIMITIVES.items()
    if row.domain == _REALS and not row.kinks and not row.declared
)


@dataclass
class Scope:
    """What an equation may read, with sizes; and what has been read."""

    draw: st.DrawFn
    vectors: dict[str, str] = field(default_factory=dict)
    matrices: dict[str, tuple[str, str]] = field(default_factory=dict)
    biases: dict[str, str] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    open: bool = False  # whether nothing outside of the expression gives its size
    declared: set[str] = field(default_factory=set)

    def chosen(self, options: list[str]) -> str:
        return self.draw(st.sampled_from(options))

    def vector(self, size: str, depth: int) -> str:
        """A vector expression whose size follows from the names in it."""
        names = [name for name, known in self.vectors.items() if known == size]
        kinds = ["product"] * 2 + ["name"] * (3 if names else 0)
        if depth:
            kinds += ["sum", "difference", "elementwise", "primitive", "primitive"]
            kinds += ["scaled", "power", "complement", "negative", "quotient"]
        inner = lambda: self.vector(size, depth - 1)
        match self.chosen(kinds):
            case "name":
                return self.name(names)
            case "product":
                return self.product(size, max(depth - 1, 0))
            case "sum":
                return f"({inner()} + {self.operand(size, depth)})"
            case "difference":
                return f"({inner()} - {self.operand(size, depth)})"
            case "elementwise":
                return f"({inner()} * {self.operand(size, depth)})"
            case "primitive":
                return f"{self.chosen(list(SMOOTH))}({inner()})"
            case "scaled":
                return f"({self.chosen(list(NUMBERS))} * {inner()})"
            case "quotient":
                return f"({inner()} / {self.chosen(list(NUMBERS))})"
            case "power":
                return f"({self.vector(size, 0)}) ** {self.chosen(['2', '3'])}"
            case "complement":
                return f"({self.chosen(['1', *NUMBERS])} - {inner()})"
            case _:
                return f"(-{inner()})"

    def operand(self, size: str, depth: int) -> str:
        """The second operand of something: it may be a parameter, whose size the first gives."""
        if self.draw(st.booleans()):
            return self.vector(size, depth - 1)
        return self.parameter(self.biases, size, "b")

    def name(self, names: list[str]) -> str:
        name = self.chosen(names)
        self.read.add(name)
        return name

    def product(self, size: str, depth: int) -> str:
        """A matrix product with a name, a stacked list or any other vector expression."""
        names = list(self.vectors)
        if self.draw(st.integers(0, 3)) == 0:
            parts = [self.name(names) for _ in range(self.draw(st.integers(2, 3)))]
            parts = [self.squared(part) for part in parts]
            total = "+".join(sorted(self.vectors[part.partition(" ")[0]] for part in parts))
            return f"({self.matrix(size, total)} @ [{', '.join(parts)}])"
        width = self.vectors[self.chosen(names)]
        left, outside = self.matrix(size, width), self.open
        self.open = True
        right = self.vector(width, depth)
        self.open = outside
        return f"({left} @ {right})"

    def squared(self, name: str) -> str:
        return f"{name} * {name}" if self.draw(st.integers(0, 3)) == 0 else name

    def matrix(self, rows: str, columns: str) -> str:
        """A matrix of that shape: a parameter, its transpose, or a function of one or two."""
        kind = self.chosen(["plain"] * 6 + ["turned"] * 3 + ["function", "elementwise", "scaled"])
        if kind == "turned":
            return f"{self.parameter(self.matrices, (columns, rows), 'W')}.T"
        plain = self.parameter(self.matrices, (rows, columns), "W")
        match kind:
            case "function":
                return f"{self.chosen(list(SMOOTH))}({plain})"
            case "elementwise":
                return f"({plain} * {self.parameter(self.matrices, (rows, columns), 'W')})"
            case "scaled":
                return f"({self.chosen(list(NUMBERS))} * {plain})"
        return plain

    def parameter(self, known: dict, shape: object, letter: str) -> str:
        """A parameter of that shape: a new one, or one that is read elsewhere, too."""
        fitting = [name for name, found in known.items() if found == shape]
        name = self.chosen([*fitting, f"{letter}{len(known) + 1}"])
        known[name] = shape
        if self.open or self.draw(st.integers(0, 9)) == 0:
            self.declared.add(name)
        return name

    def declarations(self) -> list[str]:
        """A line for the parameters whose shape does not follow from their use, and some more."""
        sizes = {name: f"{name}[{', '.join(shape)}]" for name, shape in self.matrices.items()}
        sizes |= {name: f"{name}[{size}]" for name, size in self.biases.items()}
        written = [text for name, text in sizes.items() if name in self.declared]
        return [f"parameter {', '.join(written)}"] if written else []
