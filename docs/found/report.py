"""results.json -> the tables of docs/found.md: `python docs/found/report.py`."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from layers import ARCHIVES, LAYERS, Layer

__all__ = ["PAGE", "RESULTS", "load", "renewed", "save", "write"]

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results.json", HERE.parent / "found.md"

_MARKED = re.compile(r"(<!-- results: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

Results = Mapping[str, Mapping[str, Any]]


def load() -> Results:
    """What came of each layer, by name."""
    if not RESULTS.exists():
        return {}
    rows = json.loads(RESULTS.read_text(encoding="utf-8"))["layers"]
    return {row["name"]: row for row in rows}


def save(result: Mapping[str, Any]) -> None:
    """Put what came of a layer in its place in results.json."""
    rows = {**load(), result["name"]: result}
    kept = [rows[layer.name] for layer in LAYERS if layer.name in rows]
    text = json.dumps({"layers": kept}, indent=1, ensure_ascii=False)
    RESULTS.write_text(text + "\n", encoding="utf-8")


def write() -> None:
    """Write the tables of the page from results.json."""
    if PAGE.exists():
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(renewed(text, load()), encoding="utf-8", newline="\n")


def renewed(text: str, results: Results) -> str:
    """A page with what stands between `<!-- results: NAME -->` and `<!-- end -->` written anew."""
    return _MARKED.sub(lambda found: f"{found[1]}\n{PARTS[found[2]](results)}\n{found[3]}", text)


def _layers(results: Results) -> str:
    head = ("layer", "version", "judged as", "verdict", "is that cell", "its own gradient")
    rows = []
    for layer in LAYERS:
        run = results[layer.name]["runs"][0]
        archive = ARCHIVES[layer.archive]
        version = f"[{archive.version[:7]}]({archive.url})" if archive.url else archive.version
        cell = f"[{Path(layer.cell).stem}](found/{layer.cell})" if "." in layer.cell else layer.cell
        answers = (run["verdict"], run["is_cell"], run["own_gradient"])
        rows.append((f"[{layer.shown}](found/{layer.name}.py)", version, cell, *answers))
    return _table(head, rows)


def _causes(results: Results) -> str:
    rows = []
    for layer in LAYERS:
        run = results[layer.name]["runs"][0]
        if run["verdict"] != "right":
            named = "; ".join(run["causes"]) or "none"
            found = "; ".join(dict.fromkeys(f.split(":")[0] for f in run["findings"]))
            rows.append((layer.shown, found, named))
    return _table(("layer", "properties that fail", "causes that are named"), rows)


def _repairs(results: Results) -> str:
    head = ("layer", "what", "kind", "line", "stands there", "should", "without", "repaired")
    rows = []
    for layer in LAYERS:
        for number, repair in enumerate(layer.repairs):
            without = _without(layer, results, number)["verdict"]
            repaired = results[layer.name]["runs"][-1]["verdict"]
            for k, (file, line, old, new) in enumerate(repair.edits):
                what = (layer.shown, repair.what, repair.kind) if k == 0 else ("", "", "")
                ends = (without, repaired) if k == 0 else ("", "")
                shown = (f"`{old}`", f"`{new}`" if new else "nothing")
                rows.append((*what, f"{Path(file).name}:{line}", *shown, *ends))
    return _table(head, rows)


def _named(results: Results) -> str:
    rows = []
    for layer in LAYERS:
        for number, repair in enumerate(layer.repairs):
            causes = _without(layer, results, number)["causes"]
            rows.append((layer.shown, repair.what, "; ".join(causes) or "none"))
    return _table(("layer", "what is left", "causes that are named"), rows)


def _without(layer: Layer, results: Results, number: int) -> Mapping[str, Any]:
    """The run in which all but that is repaired."""
    wanted = [k for k in range(len(layer.repairs)) if k != number]
    (run,) = [r for r in results[layer.name]["runs"] if r["repaired"] == wanted]
    return run


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = tuple(head)
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(map(_shown, line))} |\n" for line in lines)


def _shown(text: str) -> str:
    return text.replace("|", "&#124;").replace("<", "&lt;")


def _worst(results: Results) -> str:
    rows = []
    for layer in LAYERS:
        if layer.repairs:
            runs = results[layer.name]["runs"]
            rows.append((layer.shown, *_entry(runs[0]["worst"]), *_entry(runs[-1]["worst"])))
    head = ("layer", "entry", "theirs", "differences", "repaired: entry", "theirs", "differences")
    return _table(head, rows)


def _entry(worst: Mapping[str, Any]) -> tuple[str, str, str]:
    if "raised" in worst:
        return f"raises {worst['raised'].split(':')[0]}", "", ""
    return worst["entry"], f"{worst['theirs']:.9g}", f"{worst['differences']:.9g}"


PARTS = {
    "layers": _layers,
    "causes": _causes,
    "named": _named,
    "repairs": _repairs,
    "worst": _worst,
}


if __name__ == "__main__":
    write()
