"""The catalogue: mutants are killed and named, and the table says so."""

import json

import pytest

from derive.zoo import load
from verify.__main__ import main
from verify.diagnosis.diagnose import Library
from verify.mutants import Bench, Table, judge, mutants_of, to_json, to_text

RNN = load("rnn")

# One of each kind, where a kind says what is compared: formulas, hooks, numbers, manners.
SOME = (
    "activation missing",
    "offset of a gate",
    "carry dropped",
    "slope at the argument",
    "truncated",
    "clipped by value",
    "cached view overwritten",
    "argument written",
    "gradients accumulate",
    "missing cotangent",
    "sometimes wrong backward",
)


@pytest.fixture(scope="module")
def bench():
    return Bench.of(RNN)


@pytest.mark.parametrize("row", SOME)
def test_a_mutant_is_killed_and_named(bench, row):
    mutant = next(m for m in mutants_of(bench.library) if m.deviation.name == row)
    verdict = bench.verdict(mutant)
    assert verdict.killed
    assert verdict.named
    assert verdict.source == mutant.deviation.source


def test_the_right_kernel_is_no_mutant(bench):
    from verify.deviations.deviation import Deviation, Variant
    from verify.deviations.model import Model
    from verify.mutants import Mutant

    nothing = Deviation("nothing", "nothing is wrong", "here", "forward")
    verdict = bench.verdict(Mutant(nothing, Variant("right", Model.right(RNN))))
    assert (verdict.killed, verdict.named, verdict.same) == ("", False, True)


def test_a_wrong_mutant_that_no_property_sees_is_alive_and_not_left_out(bench, monkeypatch):
    mutant = next(m for m in mutants_of(bench.library) if m.deviation.name == "carry dropped")
    monkeypatch.setattr(bench, "examples", ())
    assert bench.verdict(mutant).killed, "drawn examples kill it"
    monkeypatch.setattr(bench, "drawn", lambda mutant: {})
    blind = bench.verdict(mutant)
    assert (blind.killed, blind.same) == ("", False)
    table = Table("rnn", 1, (blind,), 0)
    assert not table.all_killed
    assert json.loads(to_json(table))["mutants"][0]["killed"] is None
    assert "killed by: nothing" in to_text(table)


def test_a_mutant_under_another_name_is_the_same_kernel_and_another_mutant_is_not(bench):
    found = {m.name: m.variant.model for m in mutants_of(bench.library)}
    zero = found["gradient zero: U"]
    term = found["parameter term missing: the gradient of U: the way through a_h"]
    assert zero is not term
    assert bench.same(zero, term)
    assert not bench.same(zero, found["gradient zero: W"])


def test_a_lstm_has_more_than_fifty_kinds_of_mutants_and_every_order_of_its_gates():
    library = Library.of(load("lstm"))
    mutants = list(mutants_of(library))
    assert len({m.deviation.name for m in mutants}) >= 50
    assert sum(m.deviation.name == "gates permuted" for m in mutants) == 23
    few = list(mutants_of(library, each=2))
    assert max(sum(m.deviation is row for m in few) for row in library.rows) == 2
    assert {m.deviation.name for m in few} == {m.deviation.name for m in mutants}


def test_the_table_is_text_and_json(monkeypatch):
    from verify.deviations.table import DEVIATIONS

    kept = tuple(row for row in DEVIATIONS if row.name in SOME[:4])
    monkeypatch.setattr("verify.mutants.mutants_of", _of(kept))
    table = judge(RNN, each=1, workers=1)
    assert table.all_killed
    assert {v.name.partition(":")[0] for v in table.verdicts} == set(SOME[:4])
    text = to_text(table)
    assert text.endswith(
        "rnn: 4 mutants of 4 kinds, 4 killed, 4 named; 0 more change nothing in this cell\n"
    )
    document = json.loads(to_json(table))
    assert document["version"] == 1
    for row in document["mutants"]:
        assert row.keys() == {"name", "source", "killed", "named", "diagnosis"}
        assert row["named"] is True
        assert row["killed"] in text


def _of(rows):
    def chosen(library, each=None):
        return (m for m in mutants_of(library, each) if m.deviation in rows)

    return chosen


def test_the_command_prints_the_table(monkeypatch, capsys):
    monkeypatch.setattr("verify.mutants.mutants_of", _of(()))
    monkeypatch.setattr("verify.mutants.WORKERS", 1)
    assert main(["mutants", "rnn", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mutants"] == []
    assert main(["mutants", "no_such_cell"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lstm", "gru", "gru_reset_before", "peephole_lstm", "rnn"])
def test_every_mutant_is_killed_and_nearly_every_one_named(name):
    table = judge(load(name), each=4)
    assert table.all_killed
    named = sum(v.named for v in table.verdicts)
    assert named >= 0.95 * len(table.verdicts)
