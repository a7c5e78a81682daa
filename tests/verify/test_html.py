"""The page that people look at, and what its figures show."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from derive.cell import Cell
from derive.zoo import load
from verify.__main__ import main
from verify.adapters.limits import Limits
from verify.diagnosis.answers import Cause, Diagnosis
from verify.references import reference_kernel
from verify.report import Report
from verify.reports.figures import Figures, measured
from verify.reports.html import to_html
from verify.reports.svg import Line, bin_of, chart, heat_map
from verify.runner import run

LSTM, RNN = load("lstm"), load("rnn")
VOID = {"meta", "rect", "path"}


class Page(HTMLParser):
    """What a page is made of; every tag must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.said = ""
        self.feed(text)
        assert self.open == []

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.said += data


def changed(cell: Cell, change) -> SimpleNamespace:
    """A right kernel whose gradients go through `change`."""
    right = reference_kernel(cell)

    def backward(params, tape, dy=None, dstate_T=None):
        return change(dict(right.backward(params, tape, dy, dstate_T)))

    return SimpleNamespace(forward=right.forward, backward=backward)


def scaled(names: str, factor: float = 1.001):
    def change(grads):
        return {
            n: np.asarray(a * (factor if n in names.split() else 1.0)) for n, a in grads.items()
        }

    return change


def worst(figures: Figures, number: int) -> dict[str, float]:
    return {b.name: float(np.nanmax(b.ratio)) for b in figures.maps[number][1]}


def test_what_is_right_lies_inside_of_its_bound_and_no_value_is_missing() -> None:
    found = measured(LSTM, reference_kernel(LSTM))
    assert found.missing == {}
    for number in (0, 1):
        ratios = worst(found, number)
        assert {"y", "h_T", "C_T", "d x", "d h_0", "d C_0", "d W_f"} <= ratios.keys()
        assert max(ratios.values()) <= 1


def test_a_wrong_gate_stands_out_as_a_band() -> None:
    found = measured(LSTM, changed(LSTM, scaled("W_f U_f b_f")))
    for label, bands in found.maps:
        for band in bands:
            outside = band.ratio > 1
            assert outside.all() if band.name in ("d W_f", "d U_f", "d b_f") else not outside.any()
        assert label.startswith("lstm: T=")
    page = to_html(_report("wrong"), found)
    rows = re.findall(r'<rect [^>]*class="(\w+)"><title>(d W_\w) ', page)
    assert {name for kind, name in rows if kind.startswith("out")} == {"d W_f"}
    assert {name for _, name in rows} == {"d W_f", "d W_i", "d W_o", "d W_g"}


def test_maps_of_sequences_have_steps_across() -> None:
    (_, one), (_, many) = measured(RNN, reference_kernel(RNN)).maps
    shapes = {b.name: b.ratio.shape for b in many}
    assert shapes["y"][1] == shapes["d x"][1] == 12
    assert {b.name: b.ratio.shape for b in one}["y"][1] == 1


def test_differences_of_a_right_gradient_make_a_v_and_of_a_wrong_one_do_not() -> None:
    right = measured(RNN, reference_kernel(RNN)).curve
    wrong = measured(RNN, changed(RNN, scaled("W", 1.01))).curve
    coarse = (right.steps < 0.1) & (right.steps > 1e-3)
    slope = np.polyfit(np.log(right.steps[coarse]), np.log(right.own[coarse]), 1)[0]
    assert 1.9 < slope < 2.1
    least = np.argmin(right.own)
    assert 0 < least < len(right.steps) - 1
    assert right.own[-1] > 1e3 * right.own[least]
    middle = (right.steps < 1e-3) & (right.steps > 1e-9)
    assert np.ptp(wrong.own[middle]) < 0.01 * wrong.own[middle].mean()
    assert np.array_equal(wrong.derived, right.derived)


def test_a_truncated_gradient_ends_at_its_lag() -> None:
    def cut(grads):
        return grads | {"x": np.concatenate([0 * grads["x"][:-5], grads["x"][-5:]])}

    lags = measured(RNN, changed(RNN, cut)).lags
    assert (lags.own[:5] > 0).all()
    assert (lags.own[5:] == 0).all()
    assert (lags.derived > 0).all()
    assert len(lags.derived) == 32
    assert lags.upstream == "the last output"


def test_what_cannot_be_drawn_is_said() -> None:
    right = reference_kernel(RNN)
    forward = SimpleNamespace(forward=right.forward, backward=None)
    found = measured(RNN, forward)
    assert found.curve is None
    assert found.lags is None
    assert {"error of gradients", "finite differences", "gradient over lag"} <= found.missing.keys()
    broken = SimpleNamespace(forward=lambda *a, **k: 1 / 0, backward=None)
    found = measured(RNN, broken)
    assert found.maps == ()
    assert "ZeroDivisionError" in found.missing["error against bound"]
    single = SimpleNamespace(
        forward=right.forward, backward=right.backward, limits=Limits(dtypes=("float32",))
    )
    assert "float32" in measured(RNN, single).missing["finite differences"]
    page = to_html(_report("undecided"), found)
    assert "ZeroDivisionError" in Page(page).said


def test_figures_are_of_what_is_taken() -> None:
    right = reference_kernel(LSTM)
    limits = Limits(rows=1, lengths=False, upstream=("h_T",), sizes={"n": 3, "m": 2})
    kernel = SimpleNamespace(forward=right.forward, backward=right.backward, limits=limits)
    found = measured(LSTM, kernel)
    assert found.missing == {}
    assert {b.name: b.ratio.shape for b in found.maps[1][1]}["d W_f"] == (3, 2)
    assert found.lags.upstream == "the final states"


@pytest.mark.parametrize(
    ("ratio", "kind"),
    [
        (0.0, "in0"),
        (0.05, "in1"),
        (1.0, "in2"),
        (np.nextafter(1.0, 2.0), "out1"),
        (1e300, "out4"),
        (np.inf, "bad"),
        (np.nan, "none"),
    ],
)
def test_wrong_begins_right_above_the_bound(ratio: float, kind: str) -> None:
    assert bin_of(ratio) == kind
    drawn = heat_map([("d <W>", np.array([[ratio]]))], across="step")
    assert f'class="{kind}"' in drawn
    Page(drawn)


def test_a_chart_places_powers_of_ten_evenly_and_leaves_gaps() -> None:
    x = np.array([1e-3, 1e-2, 1e-1, 1.0])
    values = np.array([1e-6, 1e-4, np.nan, 1.0])
    drawn = chart(x, [Line("one", "own", values)], across="a", up="b", title="t & u")
    path = re.search(r'class="line own" d="([^"]+)"', drawn)[1]
    (x1, y1), (x2, y2), (x4, y4) = (
        (float(a), float(b)) for a, b in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)
    )
    assert re.sub(r"[\d. ]", "", path) == "MLM"
    assert x4 - x2 == pytest.approx(2 * (x2 - x1), abs=0.2)
    assert y2 - y4 == pytest.approx(2 * (y1 - y2), abs=0.2)
    Page(drawn)


def test_a_chart_of_nothing_is_drawn() -> None:
    Page(chart(np.ones(2), [Line("a", "own", np.zeros(2))], across="", up="", title=""))


def test_the_page_says_symptoms_and_what_no_cause_explains() -> None:
    cause = Cause("epsilon", "a constant is added", "1e-5", False, ("y",))
    found = Diagnosis("no", "no", (cause,), ("d U", "y"), ("rows of a <batch> see each other",))
    page = Page(to_html(replace(_report("wrong"), diagnosis=found), Figures())).said
    assert "symptoms, no causes" in page
    assert "rows of a <batch> see each other" in page
    assert re.search(r"not explained by a known deviation\s*d U\b", page)
    page = Page(
        to_html(replace(_report("wrong"), diagnosis=replace(found, symptoms=())), Figures())
    )
    assert "symptoms" not in page.said


def test_the_page_says_why_there_is_no_diagnosis() -> None:
    found = Diagnosis("not judged", "not judged", failed="ZeroDivisionError: of a rule")
    page = Page(to_html(replace(_report("wrong"), diagnosis=found), Figures())).said
    assert "ZeroDivisionError: of a rule" in page
    assert "none of the known deviations" not in page


def test_the_page_needs_nothing_else_and_is_well_formed() -> None:
    kernel = changed(RNN, scaled("U"))
    report = run(RNN, kernel, examples=8, implementation="<mine>&.py")
    page = Page(to_html(report, measured(RNN, kernel)))
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "base"}
    for _, attributes in page.tags:
        assert not {n for n in attributes if n.startswith("on")} | (
            {"src", "href"} & set(attributes)
        )
    assert "url(" not in page.said
    assert "@import" not in page.said
    assert "wrong: <mine>&.py is not rnn" in page.said
    first = report.findings[0]
    assert str(first.got) in page.said
    assert first.reason in page.said
    assert "params = {" in page.said
    for name, _ in (*report.judged, *report.not_judged):
        assert name in page.said


def test_colours_of_the_light_and_the_dark_page_have_the_same_names() -> None:
    page = to_html(_report("right"), Figures())
    light, dark = re.findall(r":root \{(.*?)\}", page, re.DOTALL)
    names = [set(re.findall(r"(--[\w]+):", block)) for block in (light, dark)]
    assert names[0] == names[1]
    used = set(re.findall(r"var\((--[\w]+)\)", page))
    assert used <= names[0]
    for block in (light, dark):
        assert _contrast(block, "--text", "--page") >= 7
        assert _contrast(block, "--soft", "--card") >= 4.5
        for name in ("--right", "--wrong", "--undecided"):
            assert _contrast(block, name, "--page") >= 4.5
        for name in ("--own", "--derived"):
            assert _contrast(block, name, "--page") >= 3


def _contrast(block: str, one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.1."""
    shares = []
    for name in (one, other):
        text = re.search(rf"{name}: #(\w{{6}})", block)[1]
        parts = [int(text[k : k + 2], 16) / 255 for k in (0, 2, 4)]
        line = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        shares.append(0.2126 * line[0] + 0.7152 * line[1] + 0.0722 * line[2])
    return (max(shares) + 0.05) / (min(shares) + 0.05)


def test_the_command_writes_the_page_and_the_scripts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(
        "import numpy as np\n"
        "def forward(params, x, state_0=None, *, lengths=None):\n"
        "    h = np.zeros((x.shape[1], len(params['b'])), x.dtype)\n"
        "    return np.zeros((len(x), *h.shape), x.dtype), {'h': h}, None\n"
    )
    options = ["--examples", "3", "--html", "out.html", "--reproduce", "scripts"]
    assert main(["run", "rnn", "mine.py", "--no-isolate", *options]) == 1
    assert "print(" in Path("scripts/values.py").read_text()
    page = Page(Path("out.html").read_text())
    assert "the implementation has no backward" in page.said
    assert capsys.readouterr().err == ""


def _report(verdict: str) -> Report:
    empty = Report("lstm", "mine.py", "right", (), (("values", 3),), (), 3, 60, 0)
    return replace(empty, verdict=verdict)
