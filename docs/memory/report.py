"""results.json -> memory.png and the tables of docs/memory.md: `python docs/memory/report.py`."""

import hashlib
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

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
                _range(
                    (100 * r["wrong"] / results["settings"]["tests"] for r in found), ".1f", " %"
                ),
                _range((r["before"][-1] for r in found), ".0e"),
                _range((r["after"][-1] for r in found), ".0e"),
            )
        )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _range(values: Iterable[float], form: str, unit: str = "") -> str:
    """From the least to the largest, or both at once where they are shown alike."""
    ends = sorted(values)
    low, high = (format(end, form) for end in (ends[0], ends[-1]))
    return f"{low}{unit}" if low == high else f"{low} to {high}{unit}"


def _settings(results: Mapping[str, Any]) -> str:
    given, rates = results["settings"], {r["name"]: r["rate"] for r in results["runs"]}
    return (
        textwrap.fill(
            f"{given['units']} units; {given['updates']} updates, each on {given['batch']} new sequences; "
            f"Adam, rate {', '.join(f'{rate} ({name})' for name, rate in rates.items())}; gradients "
            f"with a norm above {given['clip']:g} are scaled down to it; seeds "
            f"{', '.join(map(str, given['seeds']))}; tested on {given['tests']} fresh sequences for "
            f"each. All runs together took {results['minutes']:g} minutes on two cores.\n",
            100,
        )
        + "\n"
    )


PARTS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {"tasks": _tasks, "settings": _settings}


def _grouped(results: Mapping[str, Any]) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """Results of all seeds, by task and run, as they come."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for result in results["results"]:
        found.setdefault((result["task"], result["run"]), []).append(result)
    return found


# The picture. Colours: Okabe & Ito, which all kinds of colour vision tell apart.

STYLES: Sequence[Mapping[str, Any]] = (
    {"color": "#000000", "linestyle": (0, (1, 1))},
    {"color": "#56B4E9", "linestyle": (0, (5, 2))},
    {"color": "#0072B2", "linestyle": "-"},
    {"color": "#D55E00", "linestyle": (0, (4, 1, 1, 1))},
)
LOSSES = {"adding": "mean squared error", "temporal order": "cross-entropy"}


def picture(results: Mapping[str, Any], path: Path) -> None:
    """Loss curves, and gradient over lag before and after training; a line for each seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 7.4), layout="constrained")
    panels = figure.subplots(len(LOSSES), 3, sharex="col")
    styles = dict(zip((run["name"] for run in results["runs"]), STYLES, strict=True))
    window, lag = results["settings"]["window"], results["settings"]["lag"]
    for (task, run), found in _grouped(results).items():
        row = panels[list(LOSSES).index(task)]
        for result in found:
            name = run if result is found[0] and row is panels[0] else None
            updates = window * (np.arange(len(result["curve"])) + 0.5)
            row[0].plot(updates, result["curve"], **styles[run], linewidth=1.4, label=name)
            for panel, when in zip(row[1:], ("before", "after"), strict=True):
                panel.plot(result[when], **styles[run], linewidth=1.4)
    for row, (task, loss) in zip(panels, LOSSES.items(), strict=True):
        guessing = next(r["guessing"] for r in results["results"] if r["task"] == task)
        row[0].axhline(guessing, color="0.6", linewidth=0.8, zorder=0)
        row[0].text(updates[-1], guessing * 1.15, "guessing", color="0.4", ha="right", va="bottom")
        row[0].set(ylabel=f"{task}: {loss}", yscale="log", ylim=(None, 6 * guessing))
        low = 0.1 * min(min(r["before"] + r["after"]) for r in results["results"])
        for panel in row[1:]:
            panel.set(yscale="log", ylim=(low, 100), xlim=(0, lag))
            panel.set_ylabel(r"$|\partial L/\partial s_{T-k}| \,/\, |\partial L/\partial s_T|$")
    for panel, title in zip(
        panels[0], ("loss", "gradient over lag, before", "gradient over lag, after"), strict=True
    ):
        panel.set_title(title)
    for panel, label in zip(panels[-1], ("update", *2 * ("k, steps before the end",)), strict=True):
        panel.set_xlabel(label)
    for panel in panels.flat:
        panel.grid(color="0.9", linewidth=0.6)
        panel.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=len(styles), frameon=False, handlelength=3.5)
    figure.savefig(path, dpi=110, metadata={"Source": digest()})


if __name__ == "__main__":
    write()
