"""Heat maps and line charts as SVG: text with classes, which the page's style gives colours."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from verify.kernels import Array

__all__ = ["BINS", "Line", "chart", "heat_map", "legend"]

# (class, upper end, what it says): error over bound; 1 is where wrong begins.
BINS: tuple[tuple[str, float, str], ...] = (
    ("in0", 0.0, "exact"),
    ("in1", 0.1, "to 0.1"),
    ("in2", 1.0, "to 1"),
    ("out1", 1e3, "to 10³"),
    ("out2", 1e6, "to 10⁶"),
    ("out3", 1e9, "to 10⁹"),
    ("out4", float("1e308"), "more"),
    ("bad", math.inf, "no number"),
)
NO_BOUND = ("none", "no bound")

SIDE, GAP, LABEL = 13, 1, 64

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 560, 300, 58, 44, 14, 16


@dataclass(frozen=True)
class Line:
    """One line of a chart; `kind` is its class in the style."""

    label: str
    kind: str
    values: Array


def heat_map(parts: Sequence[tuple[str, Array]], *, across: str, down: str = "") -> str:
    """Parts below each other, each (name, (rows, columns) of error over bound).

    Args:
        across, down: what columns and rows are.
    """
    columns = max(a.shape[1] for _, a in parts)
    head = 16 if len(parts) > 1 or across else 2
    heights = [a.shape[0] * (SIDE + GAP) for _, a in parts]
    height = head + sum(heights) + 5 * (len(parts) - 1) + 2
    width = LABEL + columns * (SIDE + GAP) + 2
    names = ", ".join(name for name, _ in parts)
    out = [_open(max(width, 110), height, f"error over bound of {names}")]
    out.append(f'<text x="{LABEL}" y="11" class="axis">{escape(across)}</text>')
    top = head
    for (name, array), size in zip(parts, heights, strict=True):
        middle = top + size / 2 + 4
        out.append(f'<text x="{LABEL - 6}" y="{middle:g}" class="name">{escape(name)}</text>')
        out += _cells(name, array, top, down)
        top += size + 5
    return "\n".join([*out, "</svg>"])


def _cells(name: str, array: Array, top: int, down: str) -> Iterator[str]:
    for (row, column), ratio in np.ndenumerate(array):
        x, y = LABEL + column * (SIDE + GAP), top + row * (SIDE + GAP)
        said = f"{name} {down}[{row}, {column}]: {_ratio(ratio)}"
        yield (
            f'<rect x="{x}" y="{y}" width="{SIDE}" height="{SIDE}" class="{bin_of(ratio)}">'
            f"<title>{escape(said)}</title></rect>"
        )


def bin_of(ratio: float) -> str:
    """The class of an error over bound."""
    if math.isnan(ratio):
        return NO_BOUND[0]
    return next(name for name, end, _ in BINS if ratio <= end)


def _ratio(ratio: float) -> str:
    if math.isnan(ratio):
        return "no finite bound"
    return "not a number" if math.isinf(ratio) else f"{ratio:.2g} of the bound"


def legend() -> str:
    """What the colours of heat maps mean."""
    rows = [(name, text) for name, _, text in BINS] + [NO_BOUND]
    swatches = [
        f'<span class="swatch"><svg width="13" height="13" aria-hidden="true">'
        f'<rect width="13" height="13" class="{name}"/></svg> {text}</span>'
        for name, text in rows
    ]
    inside, outside = "".join(swatches[:3]), "".join(swatches[3:])
    return f'<p class="legend"><b>inside</b> {inside} <b>outside</b> {outside}</p>'


def chart(
    x: Array, lines: Sequence[Line], *, across: str, up: str, title: str, log_x: bool = True
) -> str:
    """A chart with a logarithmic upward axis; zeros lie on its lower end, gaps where no number is.

    Args:
        x: where the lines have their values.
    """
    horizontal = _Axis.of(x, (LEFT, WIDTH - RIGHT), log=log_x)
    positive = np.concatenate([v.values[np.isfinite(v.values) & (v.values > 0)] for v in lines])
    vertical = _Axis.of(positive, (HEIGHT - BOTTOM, TOP), log=True)
    out = [_open(WIDTH, HEIGHT, title)]
    for value, text in vertical.ticks():
        at = vertical.at(value)
        out.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>')
        out.append(f'<text class="tick end" x="{LEFT - 6}" y="{at + 4:.1f}">{text}</text>')
    for value, text in horizontal.ticks():
        at = horizontal.at(value)
        out.append(f'<path class="grid" d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        out.append(f'<text class="tick mid" x="{at:.1f}" y="{HEIGHT - BOTTOM + 16}">{text}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(f'<text class="axis mid" x="{middle:g}" y="{HEIGHT - 8}">{escape(across)}</text>')
    turned = f'transform="rotate(-90 12 {HEIGHT / 2:g})"'
    out.append(f'<text class="axis mid" x="12" y="{HEIGHT / 2:g}" {turned}>{escape(up)}</text>')
    for line in lines:
        out += _line(line, x, horizontal, vertical)
    return "\n".join([*out, "</svg>"])


def _line(line: Line, x: Array, across: "_Axis", up: "_Axis") -> Iterator[str]:
    path, pen = [], "M"
    for place, value in zip(x, line.values, strict=True):
        if not np.isfinite(value):
            pen = "M"
            continue
        path.append(f"{pen}{across.at(place):.1f} {up.at(value):.1f}")
        pen = "L"
    yield f'<path class="line {line.kind}" d="{"".join(path)}"><title>{line.label}</title></path>'


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    ends: tuple[float, float]
    log: bool

    @classmethod
    def of(cls, values: Array, ends: tuple[float, float], *, log: bool) -> "_Axis":
        """From the smallest to the largest value, on a logarithmic axis at whole powers of ten."""
        found = values if len(values) else np.array([1.0])
        if log:
            low = math.floor(math.log10(found.min()))
            return cls(low, max(math.ceil(math.log10(found.max())), low + 1), ends, log)
        return cls(float(found.min()), float(max(found.max(), found.min() + 1)), ends, log)

    def at(self, value: float) -> float:
        """Where a value lies; what is smaller than all lies at the end."""
        number = value
        if self.log:
            number = math.log10(value) if value > 0 else self.low
        part = min(max((number - self.low) / (self.high - self.low), 0.0), 1.0)
        return self.ends[0] + part * (self.ends[1] - self.ends[0])

    def ticks(self) -> Iterator[tuple[float, str]]:
        """(value, text)."""
        step = max(1, math.ceil((self.high - self.low) / 7))
        if not self.log and step > 2:
            step = max(1, 2 * round(step / 2))
        for k in range(math.ceil(self.low), math.floor(self.high) + 1, step):
            yield (10.0**k, f"10{_raised(k)}") if self.log else (float(k), str(k))


def _raised(k: int) -> str:
    return str(k).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _open(width: float, height: float, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        f'role="img" aria-label="{escape(label, quote=True)}">'
    )
