"""A report as one page that needs nothing else: no network, no script."""

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from verify.properties import PROPERTIES
from verify.report import Finding, Report, again, reproduction, setting_lines, verdict_line
from verify.reports.figures import Band, Figures
from verify.reports.style import STYLE
from verify.reports.svg import Line, chart, heat_map, legend

__all__ = ["to_html"]

# Numbers that a script may write out on the page.
WRITTEN = 2000

OWN, DERIVED = "what backward gives", "what is derived from the equations"

KEY = (
    f'<p class="legend"><span><span class="key own"></span> {OWN}</span> '
    f'<span><span class="key derived"></span> {DERIVED}</span></p>'
)


def to_html(report: Report, figures: Figures) -> str:
    """The page."""
    name = report.implementation or "the implementation"
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(report.verdict)}: {escape(name)} as {escape(report.cell)}</title>",
        f"<style>{STYLE}</style></head>",
        "<body>",
        *_head(report),
        *_findings(report),
        *_figures(figures),
        *_judged(report),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _head(report: Report) -> Iterator[str]:
    word, said = verdict_line(report).split(": ", 1)
    yield f'<header><h1><span class="{word}">{word}</span>: {escape(said)}</h1>'
    failed = sum(not f.remark for f in report.findings)
    yield (
        f'<p class="soft">{len(report.judged)} properties on {report.examples} examples, '
        f"seed {report.seed}; {failed} failed</p>"
    )
    yield from (f'<p class="soft">{escape(line)}</p>' for line in setting_lines(report))
    if report.diagnosis is not None:
        found = report.diagnosis
        yield '<div class="card"><dl>'
        yield from _answer(f"outputs and final states are {report.cell}'s", found.is_cell)
        yield from _answer("gradients are those of its own forward", found.own_gradient)
        for k, cause in enumerate(found.causes):
            label = "likely cause" if k == 0 else "" if k > 1 else "others"
            yield f"<dt>{label}</dt><dd>{escape(cause.text)} {_explains(cause.explains)}</dd>"
        if found.failed:
            yield f"<dt>no diagnosis</dt><dd>{escape(found.failed)}</dd>"
        elif not found.causes:
            yield "<dt>likely cause</dt><dd>none of the known deviations explains it</dd>"
        elif found.unexplained:
            names = escape(", ".join(found.unexplained))
            yield f"<dt>not explained by a known deviation</dt><dd>{names}</dd>"
        for k, symptom in enumerate(found.symptoms):
            label = "" if k else "symptoms, no causes"
            yield f"<dt>{label}</dt><dd>{escape(symptom)}</dd>"
        yield "</dl></div>"
    if report.findings:
        yield f"<p>Again: <code>{escape(again(report))}</code></p>"
    yield "</header>"


def _explains(names: Sequence[str]) -> str:
    return f'<span class="soft">explains {escape(", ".join(names))}</span>' if names else ""


def _answer(question: str, answer: str) -> Iterator[str]:
    kind = {"yes": "right", "no": "wrong"}.get(answer, "soft")
    yield f'<dt>{escape(question)}</dt><dd class="{kind}">{escape(answer)}</dd>'


def _findings(report: Report) -> Iterator[str]:
    if not report.findings:
        return
    yield "<h2>Findings</h2>"
    for finding in report.findings:
        yield from _finding(report, finding)


def _finding(report: Report, finding: Finding) -> Iterator[str]:
    place = finding.parameter + (str(list(finding.index)) if finding.index else "")
    kind = "remark, " if finding.remark else ""
    yield f'<section class="card"><h3>{kind}{escape(finding.property)}</h3>'
    where = f"<code>{escape(place)}</code> " if place else ""
    yield f"<p>{where}{escape(finding.cause)}</p>"
    if finding.got is not None:
        yield "<dl>"
        for name, value in (
            ("got", finding.got),
            ("expected", finding.expected),
            ("may differ by", finding.bound),
        ):
            if value is not None:
                yield f"<dt>{name}</dt><dd><code>{escape(str(value))}</code></dd>"
        yield "</dl>"
    if finding.also:
        yield f"<p>also: <code>{escape(', '.join(finding.also))}</code></p>"
    must = "" if finding.remark else "must hold "
    yield f'<p class="soft">{must}because {escape(finding.reason)}</p>'
    yield f'<p class="soft">smallest example: {escape(finding.example.label)}</p>'
    found = reproduction(report, finding)
    if found is not None and found.size <= WRITTEN:
        yield "<details><summary>a script that shows it again, of NumPy alone</summary>"
        yield f"<pre><code>{escape(found.text)}</code></pre></details>"
    yield "</section>"


def _figures(figures: Figures) -> Iterator[str]:
    yield "<h2>Error against bound</h2>"
    yield (
        "<p>How far each entry is from what it must be, over the rounding error that it may have. "
        "In one step a wrong gate stands alone, as a band; later it reaches the others.</p>"
    )
    if figures.maps:
        yield legend()
    for label, bands in figures.maps:
        yield f'<p class="soft">{escape(label)}</p><div class="figures">'
        yield from _bands(bands)
        yield "</div>"
    if figures.curve is not None or figures.lags is not None:
        yield '<div class="figures charts">'
        yield from _charts(figures)
        yield "</div>"
    if figures.missing:
        yield "<h2>Not drawn</h2><dl>"
        for name, why in figures.missing.items():
            yield f"<dt>{escape(name)}</dt><dd>{escape(why)}</dd>"
        yield "</dl>"


def _charts(figures: Figures) -> Iterator[str]:
    if figures.curve is not None:
        curve = figures.curve
        lines = [Line(OWN, "own", curve.own), Line(DERIVED, "derived", curve.derived)]
        drawn = chart(
            curve.steps,
            lines,
            across="step",
            up="error of the difference",
            title="error of central differences against the step",
        )
        yield (
            f"<figure><h2>Finite differences</h2>{KEY}{drawn}<figcaption>Central differences of "
            "the implementation's own forward in one direction, less the gradient in that "
            "direction. A right gradient gives a V: the error falls with the square of the step "
            "until rounding takes over. A wrong one stays where it is wrong.</figcaption></figure>"
        )
    if figures.lags is not None:
        lags = figures.lags
        lines = [Line(OWN, "own", lags.own), Line(DERIVED, "derived", lags.derived)]
        drawn = chart(
            np.arange(len(lags.own), dtype=float),
            lines,
            across="steps back",
            up="norm of the gradient",
            title="norm of the gradient against the lag",
            log_x=False,
        )
        yield (
            f"<figure><h2>Gradient over lag</h2>{KEY}{drawn}<figcaption>Norm of the gradient of "
            f"an input so many steps before {escape(lags.upstream)}, which alone is asked for. A "
            "line that ends is a truncation; one that falls in another way carries something "
            "else.</figcaption></figure>"
        )


def _bands(bands: Sequence[Band]) -> Iterator[str]:
    timed = [b for b in bands if b.name == "y" or b.kind == "steps"]
    for band in timed:
        drawn = heat_map([(band.name, band.ratio)], across="step →")
        yield f"<figure>{drawn}<figcaption>rows: batch and units</figcaption></figure>"
    rows = [b for b in bands if b not in timed and b.kind != "parameters"]
    if rows:
        drawn = heat_map([(b.name, b.ratio) for b in rows], across="unit →")
        yield f"<figure>{drawn}<figcaption>rows: batch</figcaption></figure>"
    shapes = dict.fromkeys(b.shape for b in bands if b.kind == "parameters")
    for shape in shapes:
        alike = [(b.name, b.ratio) for b in bands if b.shape == shape and b.kind == "parameters"]
        drawn = heat_map(alike, across="")
        yield f"<figure>{drawn}<figcaption>parameters {escape(shape)}</figcaption></figure>"


def _judged(report: Report) -> Iterator[str]:
    if report.not_judged:
        yield "<h2>Not judged</h2><table><tr><th>what</th><th>why not</th></tr>"
        for what, why in report.not_judged:
            yield f"<tr><td>{escape(what)}</td><td>{escape(why)}</td></tr>"
        yield "</table>"
    reasons = {p.name: p.reason for p in PROPERTIES}
    failed = {f.property for f in report.findings}
    yield "<h2>Judged</h2><details><summary>every property and why it must hold</summary><table>"
    yield "<tr><th>property</th><th>examples</th><th></th><th>because</th></tr>"
    for name, count in report.judged:
        mark = "failed" if name in failed else "holds"
        yield (
            f'<tr><td>{escape(name)}</td><td class="number">{count}</td><td>{mark}</td>'
            f"<td>{escape(reasons.get(name, ''))}</td></tr>"
        )
    yield "</table></details>"
