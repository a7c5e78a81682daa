"""mutants.json, detection.json -> the tables and picture of docs/beside.md.

`python docs/beside/report.py` writes them anew.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from layers import USES

__all__ = [
    "DETECTION",
    "MUTANTS",
    "PAGE",
    "PICTURE",
    "detection_table",
    "digest",
    "kill_table",
    "missed",
    "only_verify",
    "renewed",
    "save",
    "write",
]

HERE = Path(__file__).parent
MUTANTS, DETECTION = HERE / "mutants.json", HERE / "detection.json"
PICTURE, PAGE = HERE / "detection.png", HERE.parent / "beside.md"

_MARKED = re.compile(r"(<!-- results: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def save(results: Mapping[str, Any], path: Path) -> None:
    """Write results, a record of the innermost lists in each line."""
    path.write_text(_lines(results) + "\n", encoding="utf-8")


def _lines(value: Any, indent: str = "") -> str:
    more = indent + " "
    if isinstance(value, Mapping) and any(isinstance(v, (dict, list)) for v in value.values()):
        if indent and set(value) & {"kind", "found"}:
            return json.dumps(value)
        parts = [f"{more}{json.dumps(k)}: {_lines(v, more)}" for k, v in value.items()]
        return "{\n" + ",\n".join(parts) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(v, dict) for v in value):
        return "[\n" + ",\n".join(more + _lines(v, more) for v in value) + f"\n{indent}]"
    return json.dumps(value)


def write() -> None:
    """Write the picture and the tables of the page."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(renewed(text), encoding="utf-8", newline="\n")
    picture(_read(DETECTION), PICTURE)


def renewed(text: str) -> str:
    """A page with what stands between `<!-- results: NAME -->` and `<!-- end -->` written anew."""
    return _MARKED.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n{found[3]}", text)


def digest() -> str:
    """Of detection.json; the picture carries that of the results it shows."""
    return hashlib.sha256(DETECTION.read_bytes()).hexdigest()


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


# Mutants. A checker's name and a use -> who finds it.

GROUPS = {
    "gradient": "gradient wrong",
    "equations": "another cell",
    "conduct": "conduct",
}


def kill_table(found: Mapping[str, Any]) -> str:
    """How many mutants of each group everybody finds."""
    columns = [(cell, group) for cell in found["cells"] for group in GROUPS]
    mutants = {(c, g): _of(found, c, g) for c, g in columns}
    titles = [f"`{c}`: {GROUPS[g]} ({len(mutants[c, g])})" for c, g in columns]
    count = lambda finds: [str(sum(map(finds, mutants[key]))) for key in columns]
    rows = []
    names = list(next(iter(found["cells"].values()))["checkers"])
    for name in names:
        for use in USES.values():
            if use.asked is None or name in use.asked:
                finds = lambda record, name=name, use=use.name: name in record["found"][use]
                rows.append([name, use.shown, *count(finds)])
    rows.append(["ONNX node tests", "forward alone", *count(lambda r: r["nodes"] > 0)])
    rows.append(["all of these together", "", *count(_elsewhere)])
    rows.append(["verify", "", *count(lambda r: bool(r["verify"]))])
    return _table(["", "", *titles], rows)


def _of(found: Mapping[str, Any], cell: str, group: str) -> list[Mapping[str, Any]]:
    return [r for r in found["cells"][cell]["mutants"] if r["group"] == group]


def _elsewhere(record: Mapping[str, Any]) -> bool:
    """Whether anybody but verify finds it, in any use."""
    return bool(record["nodes"]) or any(record["found"].values())


def only_verify(found: Mapping[str, Any], group: str) -> dict[str, list[str]]:
    """Kinds of a group that nobody else finds a variant of, with what each cell has of them."""
    every = [(cell, r) for cell in found["cells"] for r in _of(found, cell, group)]
    seen = {r["kind"] for _, r in every if _elsewhere(r)}
    kinds: dict[str, list[str]] = {}
    for cell, r in every:
        if r["kind"] not in seen and r["verify"]:
            kinds.setdefault(r["kind"], []).append(f"`{cell}`: {r['variant']}")
    return kinds


def _conduct() -> str:
    found = only_verify(_read(MUTANTS), "conduct")
    return _table(["kind", "for example"], ([k, _plain(v[0])] for k, v in found.items()))


def missed(found: Mapping[str, Any], uses: Sequence[str]) -> dict[str, str]:
    """Kinds with a wrong gradient that no checker finds if asked in these ways, with a variant."""
    every = [r for cell in found["cells"] for r in _of(found, cell, "gradient")]
    seen = {r["kind"] for r in every if any(r["found"][use] for use in uses)}
    return {r["kind"]: r["variant"] for r in reversed(every) if r["kind"] not in seen}


def _missed() -> str:
    found = _read(MUTANTS)
    kinds = {use: missed(found, [use]) for use in ("all", "usual", "last")}
    named = {name: v for one in kinds.values() for name, v in one.items()}
    yes = lambda name: ["missed" if name in one else "" for one in kinds.values()]
    shown = [USES[use].shown for use in kinds]
    return _table(
        ["kind", "for example", *shown], ([n, _plain(v), *yes(n)] for n, v in named.items())
    )


def _plain(text: str) -> str:
    return text.replace("|", "&#124;").replace("*", "\\*")


def _names() -> str:
    found = _read(MUTANTS)
    kinds = {r["kind"] for c in found["cells"] for r in _of(found, c, "equations")}
    only = only_verify(found, "equations")
    return f"{len(only)} of {len(kinds)} kinds: {', '.join(only)}.\n"


def _settings() -> str:
    found = _read(MUTANTS)
    most = {None: "every variant", 1: "one variant"}
    each = most.get(found["each"], f"at most {found['each']} variants")
    total = {cell: len(rows["mutants"]) for cell, rows in found["cells"].items()}
    nodes = {cell: len(rows["nodes"]) for cell, rows in found["cells"].items()}
    said = ", ".join(f"{n} of `{cell}`" for cell, n in total.items())
    tests = ", ".join(f"{n} for `{cell}`" for cell, n in nodes.items())
    versions = ", ".join(f"{name} {v}" for name, v in found["versions"].items())
    return (
        f"{each[0].upper()}{each[1:]} of a kind: {said}. Node tests that the right kernel passes: "
        f"{tests}. {versions}. It took {found['minutes']:g} minutes with "
        f"{found['workers']} process{'es' * (found['workers'] > 1)} on a machine that was busy.\n"
    )


def _nodes(found: Mapping[str, Any]) -> str:
    alone = found["nodes_alone"]
    return (
        f"`{alone['cell']}`: {len(alone['nodes'])} node tests find {alone['found']} of "
        f"{alone['mutants']} mutants whose forward pass is wrong.\n"
    )


# Detection.


def detection_table(found: Mapping[str, Any], dtype: str) -> str:
    """The share of trials found, in percent, by size of error."""
    part = found["dtypes"][dtype]
    head = ["", "right layers accused", *(f"{size:.0e}" for size in part["sizes"])]
    trials, rows = found["trials"], []
    for row in part["rows"]:
        fair = row["right"] < trials
        shares = [f"{100 * n / trials:.0f}" if fair else "-" for n in row["found"]]
        rows.append([row["name"], f"{100 * row['right'] / trials:.0f}", *shares])
    return _table(head, rows)


def _detection(dtype: str) -> Callable[[], str]:
    return lambda: detection_table(_read(DETECTION), dtype)


def _tight() -> str:
    found = _read(DETECTION)
    rows = []
    for dtype, part in found["dtypes"].items():
        tolerances = [t for r in part["tightest"] if (t := r["tolerance"]) is not None]
        for row in part["tightest"]:
            least = "none" if row["tolerance"] is None else f"{row['tolerance']:.0e}"
            best = row["tolerance"] is not None and row["tolerance"] == min(tolerances)
            rows.append([dtype, f"{row['eps']:.0e}", f"**{least}**" if best else least])
    return _table(["dtype", "eps", "least tolerance"], rows)


PARTS: Mapping[str, Callable[[], str]] = {
    "kill table": lambda: kill_table(_read(MUTANTS)),
    "mutants": _settings,
    "nodes alone": lambda: _nodes(_read(MUTANTS)),
    "missed": _missed,
    "only conduct": _conduct,
    "only equations": _names,
    "float64": _detection("float64"),
    "float32": _detection("float32"),
    "tight": _tight,
    "trials": lambda: _trials(_read(DETECTION)),
}


def _trials(found: Mapping[str, Any]) -> str:
    return (
        f"{found['trials']} trials for each dtype, the same for everybody, seeds 0 to "
        f"{found['trials'] - 1}; it took {found['minutes']:g} minutes in one process on a machine "
        "that was busy.\n"
    )


# The picture. Colours: Okabe & Ito, which all kinds of colour vision tell apart.

STYLES: Mapping[str, Mapping[str, Any]] = {
    "verify, derived": {"color": "#000000", "linestyle": "-", "marker": "o"},
    "verify, complex": {"color": "#CC79A7", "linestyle": "-", "marker": "P"},
    "verify, own forward": {"color": "#CC79A7", "linestyle": "--", "marker": "s"},
    "gradcheck": {"color": "#0072B2", "linestyle": "-", "marker": "v"},
    "gradcheck, tight": {"color": "#56B4E9", "linestyle": "-", "marker": "^"},
    "gradcheck, fast": {"color": "#0072B2", "linestyle": ":", "marker": "<"},
    "check_grads": {"color": "#D55E00", "linestyle": "-", "marker": "D"},
    "chex": {"color": "#E69F00", "linestyle": "-.", "marker": "x"},
    "differences": {"color": "#009E73", "linestyle": (0, (5, 1, 1, 1)), "marker": "+"},
}


def picture(found: Mapping[str, Any], path: Path) -> None:
    """Share of trials found against size of error; who accuses right layers is left out."""
    from matplotlib.figure import Figure  # an extra

    figure = Figure(figsize=(13, 5.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for panel, (dtype, part) in zip(panels, found["dtypes"].items(), strict=True):
        for row in part["rows"]:
            if not row["right"]:
                shares = [count / found["trials"] for count in row["found"]]
                panel.plot(
                    part["sizes"], shares, linewidth=1.4, markersize=6, **STYLES[row["name"]]
                )
        panel.set(xscale="log", xlabel="relative error of one entry", title=dtype)
        panel.invert_xaxis()
        panel.grid(color="0.88", linewidth=0.6)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("share of trials in which it is found")
    for name, style in STYLES.items():
        panels[0].plot([], [], label=name, **style)
    figure.legend(loc="outside upper center", ncols=5, frameon=False, handlelength=3)
    figure.savefig(path, dpi=100, metadata={"Source": digest()})


if __name__ == "__main__":
    write()
