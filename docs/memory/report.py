"""results.json -> memory.png and the tables of docs/memory.md: `python docs/memory/report.py`."""

import hashlib
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tasks import TASKS

__all__ = ["PAGE", "PICTURE", "RESULTS", "digest", "line", "renewed", "rounded", "save", "write"]

HERE = Path(__file__).parent
RESULTS, PICTURE, PAGE = HERE / "results.json", HERE / "memory.png", HERE.parent / "memory.md"

_MARKED = re.compile(r"(<!-- results: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def rounded(values: Any) -> Any:
    """Numbers, or an array of them, to four digits, as Python's own."""
    if np.ndim(values):
        return [rounded(value) for value in values]
    return float(f"{values:.4g}")


def line(result: Mapping[str, Any], tests: int) -> str:
    """A run in one line."""
    ends = f"{result['before'][-1]:.1e} -> {result['after'][-1]:.1e}"
    return (
        f"{result['task']:15} {result['run']:20} seed {result['seed']}: "
        f"loss {result['loss']:.2g} (guessing {result['guessing']:.2g}), "
        f"wrong {result['wrong']:4} of {tests}, gradient {ends}"
    )


def save(results: Mapping[str, Any]) -> None:
    """Write results.json, an item of `results` in each line."""
    lines = ",\n".join(json.dumps(one) for one in results["results"])
    head = {**results, "results": ["LINES"]}
    text = json.dumps(head, indent=1).replace('"LINES"', lines)
    RESULTS.write_text(text + "\n", encoding="utf-8")


def write() -> None:
    """Write memory.png and the tables of the page from results.json."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(renewed(text, results), encoding="utf-8", newline="\n")
    picture(results, PICTURE)


def renewed(text: str, results: Mapping[str, Any]) -> str:
    """A page with what stands between `<!-- results: NAME -->` and `<!-- end -->` written anew."""
    return _MARKED.sub(lambda found: f"{found[1]}\n{PARTS[found[2]](results)}\n{found[3]}", text)


def digest() -> str:
    """Of results.json; the picture carries that of the results it shows."""
    return hashlib.sha256(RESULTS.read_bytes()).hexdigest()


# Parts of the page.


def _tasks(results: Mapping[str, Any]) -> str:
    head = ("task", "cell", "loss", "guessing", "wrong", "gradient before", "after")
    rows = [head, ("---",) * len(head)]
    for (task, run), found in _grouped(results).items():
        rows.append(
            (
                task,
                run,
                _range((r["loss"] for r in found), ".2g"),
                _range((r["guessing"] for r in found), ".2g"),
                _range((r["wrong"] / results["settings"]["tests"] for r in found), ".1%"),
                _range((r["before"][-1] for r in found), ".1g"),
                _range((r["after"][-1] for r in found), ".1g"),
            )
        )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _range(values: Iterable[float], form: str) -> str:
    """From the least to the largest, or both at once where they are shown alike."""
    ends = sorted(values)
    low, high = (format(end, form) for end in (ends[0], ends[-1]))
    return low if low == high else f"{low} to {high}"


def _settings(results: Mapping[str, Any]) -> str:
    given = results["settings"]
    rates = ", ".join(f"{run['rate']} ({run['name']})" for run in results["runs"])
    seeds = ", ".join(map(str, given["seeds"]))
    text = (
        f"{given['units']} units; {given['updates']} updates, each on {given['batch']} new "
        f"sequences; Adam, rate {rates}; a gradient with a norm above {given['clip']:g} is scaled "
        f"down to it; seeds {seeds}; each tested on {given['tests']} fresh sequences. All runs "
        f"together took {results['minutes']:g} minutes on two cores."
    )
    return textwrap.fill(text, 100) + "\n"


PARTS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {"tasks": _tasks, "settings": _settings}


def _grouped(results: Mapping[str, Any]) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """Results of all seeds, by task and run, as they come."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for result in results["results"]:
        found.setdefault((result["task"], result["run"]), []).append(result)
    return found


# The picture. Colours: Okabe & Ito, which all kinds of colour vision tell apart.

STYLES: Sequence[Mapping[str, Any]] = (
    {"color": "#000000", "linestyle": (0, (1, 1)), "linewidth": 1.4},
    {"color": "#56B4E9", "linestyle": (0, (5, 2)), "linewidth": 1.4},
    {"color": "#0072B2", "linestyle": "-", "linewidth": 1.4},
    {"color": "#D55E00", "linestyle": (0, (4, 1, 1, 1)), "linewidth": 1.4},
)
TITLES = ("loss while training", "gradient over lag, before training", "gradient over lag, after")


def picture(results: Mapping[str, Any], path: Path) -> None:
    """Loss curves, and gradient over lag before and after training; a line for each seed."""
    from matplotlib.figure import Figure  # an extra

    figure = Figure(figsize=(13, 7.6), layout="constrained")
    panels = figure.subplots(len(TASKS), 3, sharex="col")
    styles = dict(zip((run["name"] for run in results["runs"]), STYLES, strict=True))
    rows = dict(zip(TASKS, panels, strict=True))
    for (task, run), found in _grouped(results).items():
        for result in found:
            _lines(rows[task], result, styles[run], results["settings"]["window"])
    for task, row in rows.items():
        _frame(row, task, results)
    for panel, title in zip(panels[0], TITLES, strict=True):
        panel.set_title(title)
    for panel, label in zip(panels[-1], ("update", *2 * ("k, steps before the end",)), strict=True):
        panel.set_xlabel(label)
    for name, style in styles.items():
        panels[0, 0].plot([], [], **style, label=name)
    figure.legend(
        loc="outside upper center", ncols=len(styles), frameon=False, handlelength=4, fontsize=12
    )
    figure.savefig(path, dpi=100, metadata={"Source": digest()})


def _lines(row: Any, result: Mapping[str, Any], style: Mapping[str, Any], window: int) -> None:
    updates = window * (np.arange(len(result["curve"])) + 0.5)
    row[0].plot(updates, result["curve"], **style)
    row[1].plot(result["before"], **style)
    row[2].plot(result["after"], **style)


def _frame(row: Any, task: str, results: Mapping[str, Any]) -> None:
    """Axes, the loss of guessing, and where the first input that matters is."""
    lag, own = results["settings"]["lag"], [r for r in results["results"] if r["task"] == task]
    guessing, last = own[0]["guessing"], results["settings"]["updates"]
    row[0].axhline(guessing, color="0.6", linewidth=0.8, zorder=0)
    row[0].text(last, 1.2 * guessing, "guessing", color="0.35", ha="right", va="bottom")
    row[0].set(yscale="log", ylim=(None, 6 * guessing), ylabel=f"{task}: {TASKS[task].shown[0]}")
    low = min(min(r["before"] + r["after"]) for r in results["results"])
    for panel in row[1:]:
        panel.axvspan(*TASKS[task].first(lag), color="0.93", zorder=0)
        panel.set(yscale="log", ylim=(low / 10, 100), xlim=(0, lag))
        panel.set_ylabel(r"$|\partial L/\partial s_{T-k}| \,/\, |\partial L/\partial s_T|$")
    for panel in row:
        panel.grid(color="0.88", linewidth=0.6)
        panel.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    write()
