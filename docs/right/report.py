"""results.json, and the figures of docs/right.md from it: `python docs/right/report.py [FILE...]`.

Files are results of other machines or copies of this repository: results.json becomes their sum.
"""

import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from layers import LAYERS

__all__ = ["ASKED", "PAGE", "RESULTS", "added", "joined", "renewed", "save", "write"]

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results.json", HERE.parent / "right.md"

# How many examples a layer is to have.
ASKED = 10_000

# What inputs lacked that the present ones have, by their digest.
OLDER = {
    "2322a8b1eace": " (without remembering and overflowing ones)",
    "53dbe5bba72d": " (remembering ones of 14 steps, not 40)",
    "d149e0aa9774": " (remembering ones of 14 steps, not 40)",
    "3b68151c6d0b": " (the overflowing ones in all biases)",
    "dca14a045768": " (the overflowing ones in all biases)",
}

_MARKED = re.compile(r"(<!-- results: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def added(results: dict[str, Any], part: Mapping[str, Any]) -> None:
    """Add a part of a layer's run to the results."""
    row = results["layers"].setdefault(part["layer"], {})
    for key, value in part.items():
        if key == "layer":
            continue
        row[key] = _joined(key, row[key], value) if key in row else value


def _joined(key: str, known: Any, new: Any) -> Any:
    if key == "share":
        return {name: max(known.get(name, 0.0), value) for name, value in new.items()}
    if key == "not judged":
        return {name: text for name, text in known.items() if name in new}
    if key in ("versions", "lowered"):
        return sorted({*known, *new})
    if key == "parts":
        names = dict.fromkeys([*known, *new])
        return {n: sorted({*known.get(n, ()), *new.get(n, ())}) for n in names}
    if isinstance(new, Mapping):
        names = dict.fromkeys([*known, *new])
        return {name: known.get(name, 0) + new.get(name, 0) for name in names}
    if key == "seconds":
        return round(known + new, 1)
    return known + new


def joined(files: Iterable[Path]) -> dict[str, Any]:
    """The sum of several results.

    Raises:
        ValueError: a part of a layer's run is in two of them.
    """
    results: dict[str, Any] = {"layers": {}}
    for file in files:
        for name, row in json.loads(file.read_text(encoding="utf-8"))["layers"].items():
            known = results["layers"].get(name, {"parts": {}})["parts"]
            for inputs, parts in row["parts"].items():
                if twice := set(parts) & set(known.get(inputs, ())):
                    raise ValueError(f"{file}: part {min(twice)} of {name} is in another file, too")
            added(results, {"layer": name, **row})
    return results


def save(results: Mapping[str, Any]) -> None:
    """Write results.json whole or not at all, layers in the order of their rows."""
    layers = {name: results["layers"][name] for name in LAYERS if name in results["layers"]}
    passing = RESULTS.with_suffix(".new")
    text = json.dumps({**results, "layers": layers}, indent=1)
    text = re.sub(r"\[[\d,\s]+\]", lambda found: re.sub(r"\s+", " ", found[0]), text)
    passing.write_text(text + "\n", encoding="utf-8")
    passing.replace(RESULTS)


def write() -> None:
    """Write the parts of the page that results give."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(renewed(text, results), encoding="utf-8", newline="\n")


def renewed(text: str, results: Mapping[str, Any]) -> str:
    """A page with what stands between `<!-- results: NAME -->` and `<!-- end -->` written anew."""
    return _MARKED.sub(lambda found: f"{found[1]}\n{PARTS[found[2]](results)}\n{found[3]}", text)


def _layers(results: Mapping[str, Any]) -> str:
    head = (
        "layer",
        "cell",
        "version",
        "float32",
        "float64",
        "properties",
        "error/bound",
        "accused",
    )
    rows = [head, ("---",) * len(head)]
    for name, row in results["layers"].items():
        layer, shares = LAYERS[name], [s for s in row["share"].values() if s]
        rows.append(
            (
                layer.what,
                f"`{layer.cell}`",
                "; ".join(row["versions"]),
                f"{row['dtypes'].get('float32', 0):,}",
                f"{row['dtypes'].get('float64', 0):,}",
                f"{len(row['judged'])}",
                f"{max(shares):.2f}",
                f"{len(row['accusations']) + len(row['lowered'])}",
            )
        )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _sums(results: Mapping[str, Any]) -> str:
    rows = results["layers"].values()
    examples = sum(row["examples"] for row in rows)
    judged = sum(sum(row["judged"].values()) for row in rows)
    accused = sum(len(row["accusations"]) + len(row["lowered"]) for row in rows)
    replaced = sum(row["replaced"] for row in rows)
    fewest, most = (pick(row["examples"] for row in rows) for pick in (min, max))
    inputs = dict.fromkeys(name for row in rows for name in row["inputs"])
    counts = {n: sum(row["inputs"].get(n, 0) for row in rows) for n in inputs}
    said = [f"{count:,} of `{n}`{OLDER.get(n, '')}" for n, count in counts.items()]
    done = sum(row["examples"] >= ASKED for row in rows)
    text = (
        f"{len(rows)} layers, {examples:,} examples, {judged:,} judgements, {accused} accusations. "
        f"{done} of the layers have had the {ASKED:,} examples that are asked for; a layer has had "
        f"{fewest:,} to {most:,}. {replaced:,} more had bounds too wide to "
        f"decide and were replaced. Inputs, by the digest of what makes them: "
        f"{', '.join(said)}."
    )
    return textwrap.fill(text, 100, break_on_hyphens=False) + "\n"


def _missing(results: Mapping[str, Any]) -> str:
    reasons: dict[str, list[str]] = {}
    for name, row in results["layers"].items():
        for what, reason in row["not judged"].items():
            if not what.startswith("other sizes"):
                reasons.setdefault(f"{what}: {reason}", []).append(name)
    return "".join(
        f"- {reason} ({', '.join(f'`{name}`' for name in names)})\n"
        for reason, names in reasons.items()
    )


PARTS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "layers": _layers,
    "sums": _sums,
    "missing": _missing,
}


if __name__ == "__main__":
    if sys.argv[1:]:
        save(joined(map(Path, sys.argv[1:])))
    write()
