"""The record of what Coq accepted: today's files, written by running coqc, and printed."""

import json
from pathlib import Path

import pytest

from derive import parse, zoo
from derive.accepted import accepted, digest, recorded
from derive.backends.coq import coq_source, installed, record, specified
from derive.backends.coq.checking import Checked
from derive.backends.coq.claims import claims_of
from derive.backends.numpy import numpy_source
from derive.errors import UsageError
from derive.gradients import gradients
from derive.latex import latex
from derive.proofs import prove
from derive.reports import cell_row, list_text, show_text

needs_coq = pytest.mark.skipif(
    not installed(), reason="no coqc: apt-get install --no-install-recommends coq"
)
SAMPLE = ("rnn", "lstm", "peephole_lstm", "coupled_lstm", "gru", "gru_reset_before", "minlstm")
# Of the two arguments of its min one is always at the seam: no run keeps away from its kinks.
ALWAYS_AT_A_KINK = ("slstm_code",)
OTHERS = [name for name in recorded() if name not in SAMPLE]


def is_todays(name: str) -> None:
    cell = zoo.load(name)
    source, found = coq_source(gradients(cell)), recorded()[name]
    assert found.cell == digest(str(cell))
    assert found.files == record.digest_of(name, source), (
        "coqc has not seen today's file: run `python -m derive.backends.coq.record`"
    )
    listed = claims_of(source, name if name in specified() else "")
    suppose_what_never_is = name in ALWAYS_AT_A_KINK
    assert found.claims == {
        (c.name, c.verdict, c.statement): (c.where, *c.theorems)
        for c in listed
        if not (c.where and suppose_what_never_is)
    }
    settled = {(c.theorem, c.verdict, c.statement) for c in prove(gradients(cell))}
    assert found.claims.keys() <= settled


@pytest.mark.parametrize("name", SAMPLE)
def test_what_is_recorded_is_of_the_file_as_it_is_written_today(name: str) -> None:
    is_todays(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_so_it_is_for_every_other_cell_of_the_zoo(name: str) -> None:
    is_todays(name)


def test_what_is_recorded_is_found_by_the_text_of_its_cell() -> None:
    assert {name: r.cell for name, r in recorded().items()} == {
        name: digest(str(zoo.load(name))) for name in recorded()
    }


@pytest.mark.slow  # a new cell is one file: its entry may come later
def test_every_cell_of_the_zoo_is_recorded() -> None:
    assert tuple(recorded()) == zoo.names()


TEXT = "input x[m]\nstate h[n]\nh = sin(W @ x + U @ h[t-1] + b)\n"


def test_another_cell_of_a_recorded_name_is_only_decided() -> None:
    other = parse(TEXT, "lstm")
    assert accepted(other) is None
    assert {c.level for c in prove(gradients(other))} == {"decided", ""}


def test_levels_are_those_of_the_record_claim_by_claim() -> None:
    claims, listed = prove(gradients(zoo.load("peephole_lstm"))), recorded()["peephole_lstm"].claims
    for claim in claims:
        there = (claim.theorem, claim.verdict, claim.statement) in listed
        assert (claim.level == "kernel-checked") == there == bool(claim.coq)
    levels = {(c.theorem, c.verdict): c.level for c in claims}
    assert levels["gradients", "proved"] == "kernel-checked"
    assert levels["path", "refuted"] == "kernel-checked"  # by numbers, in its specification
    assert levels["path over T steps", "refuted"] == "decided"
    assert levels["exchanged units", "proved"] == "decided"


def test_what_holds_away_from_kinks_says_so() -> None:
    (found,) = (c for c in prove(gradients(zoo.load("irnn"))) if c.theorem == "gradients")
    assert found.level == "kernel-checked"
    assert found.method.endswith("accepts a proof, on runs away from kinks and poles")
    (none,) = (c for c in prove(gradients(zoo.load("slstm_code"))) if c.theorem == "gradients")
    assert none.level == "decided"


def test_the_level_stands_wherever_the_claim_does() -> None:
    g = gradients(zoo.load("lstm"))
    claims = prove(g)
    path = next(c.statement for c in claims if c.theorem == "path")
    doc = numpy_source(g, claims).split('"""')[1]
    assert f"{path} [proved, kernel-checked]" in doc
    assert r"\paragraph{path.} \textbf{[proved, kernel-checked]}" in latex(g, claims)
    assert "for any T: proved, kernel-checked\n" in show_text(g)
    row = cell_row(zoo.load("lstm"))
    assert row["path_claims"] == [
        {"name": "path", "statement": path, "verdict": "proved", "level": "kernel-checked"}
    ]
    assert "settled     direct: proved, kernel-checked\n" in list_text([row])


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "accepted.json"
    place.write_text('{"version": 1, "cells": {}}', encoding="utf-8")
    monkeypatch.setattr(record, "PLACE", place)
    return place


@needs_coq
def test_an_entry_is_what_coq_accepted_and_is_not_asked_for_twice(empty: Path, monkeypatch) -> None:
    assert record.main(["rnn"]) == 0
    shipped = json.loads(Path(record.__file__).parents[2].joinpath("accepted.json").read_bytes())
    written = json.loads(empty.read_bytes())
    assert written["cells"]["rnn"] == shipped["cells"]["rnn"] | {
        "coq": written["cells"]["rnn"]["coq"]
    }
    monkeypatch.setattr(record, "check", lambda *_: pytest.fail("asked again"))
    assert record.main(["rnn"]) == 0


def test_what_coq_rejects_or_the_zoo_has_not_loses_its_entry(
    empty: Path, monkeypatch, capsys
) -> None:
    entry = '{"files": "of another day", "claims": []}'
    old = f'{{"version": 1, "cells": {{"rnn": {entry}, "no cell of the zoo": {entry}}}}}'
    empty.write_text(old, encoding="utf-8")
    monkeypatch.setattr(record, "check", lambda *_: Checked(False, reason="Cell.v: no"))
    assert record.main(["rnn"]) == 1
    assert json.loads(empty.read_bytes())["cells"] == {}
    assert capsys.readouterr().out == "rnn: not accepted, Cell.v: no\n"


def test_a_cell_without_a_file_has_no_entry(empty: Path, monkeypatch, capsys) -> None:
    def refused(_: object) -> str:
        raise UsageError("no Coq file of it")

    monkeypatch.setattr(record, "coq_source", refused)
    assert record.main(["rnn"]) == 0
    assert json.loads(empty.read_bytes())["cells"] == {}
    assert "no Coq file of it" in capsys.readouterr().out
