"""`derive prove --size --steps`: what it prints, its exit codes, and what it refuses."""

import json
from dataclasses import replace

import pytest
from spoilt import SPOILT

from derive.__main__ import main
from derive.gradients import Gradients, gradients
from derive.primitives import PRIMITIVES, function
from derive.zoo import load

Capture = pytest.CaptureFixture[str]

LSTM = gradients(load("lstm"))


def test_it_prints_the_one_claim_with_its_sizes(capsys: Capture) -> None:
    assert main(["prove", "lstm", "--size", "n=2", "--size", "m=2", "--steps", "3"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0].startswith("lstm: ")
    assert lines[4] == "[proved, decided] gradients at given sizes"
    said = " ".join(" ".join(lines[5:7]).split())
    assert said == (
        "dL/d(parameters, inputs, initial states) = the sums of the reverse sweep, "
        "for n = 2, m = 2, T = 3: 50 entries"
    )
    assert lines[-1].startswith("1 proved, 0 refuted, ")


@pytest.mark.parametrize(
    ("options", "sizes", "steps"),
    [
        (["--steps", "1"], {"n": 2, "m": 3}, 1),
        (["--size", "m=2"], {"n": 3, "m": 2}, 2),
        (["--size", "n=1", "--size", "n=4"], {"n": 4, "m": 2}, 2),
    ],
)
def test_what_is_not_given_is_small_and_different(
    options: list[str], sizes: dict[str, int], steps: int, capsys: Capture
) -> None:
    assert main(["prove", "rnn", *options, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["version"], document["cell"]) == (1, "rnn")
    assert (document["sizes"], document["steps"]) == (sizes, steps)
    n, m = sizes["n"], sizes["m"]
    assert document["entries"] == n * m + n * n + n + steps * m + n
    (claim,) = document["claims"]
    assert (claim["verdict"], claim["level"]) == ("proved", "decided")
    assert f"n = {n}, m = {m}, T = {steps}" in claim["statement"]


def right_but_otherwise(derived: Gradients) -> Gradients:
    row = replace(PRIMITIVES["sigmoid"], slope=lambda z, y: y * function("sigmoid")(-z))
    return gradients(derived.cell, primitives={**PRIMITIVES, "sigmoid": row})


def test_it_exits_with_1_where_it_is_refuted_and_with_3_where_it_is_not_decided(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    wrong = SPOILT[0].spoil(LSTM)
    monkeypatch.setattr("derive.gradients.gradients", lambda cell: wrong)
    assert main(["prove", "lstm", "--steps", "2"]) == 1
    out = capsys.readouterr().out
    assert "[refuted, decided] gradients at given sizes" in out
    assert "left minus right:" in out
    assert "counterexample: n = 2, m = 3, T = 2; " in out
    open_one = right_but_otherwise(LSTM)
    monkeypatch.setattr("derive.gradients.gradients", lambda cell: open_one)
    assert main(["prove", "lstm", "--steps", "2"]) == 3
    assert "[not decided] gradients at given sizes" in capsys.readouterr().out


BAD = [
    (["--size", "k=2"], "rnn has no size 'k'; it has n, m"),
    (["--size", "n"], "--size n: expected a size and its number, as n=4"),
    (["--size", "n=0"], "--size n=0: expected a size"),
    (["--size", "n=-1"], "--size n=-1: expected a size"),
    (["--size", "n=" + "9" * 5_000], "expected a size and its number"),
    (["--size", "n=2\nm=3"], "expected a size and its number"),
    (["--steps", "0"], "--steps must be from 1 to 9999"),
    (["--steps", "two"], "invalid int value: 'two'"),
    (["--steps", "2", "--coq", "rnn.v"], "--coq is about all sizes and any T"),
    (["--steps", "2", "--json", "rnn.json"], "--json FILE is about all sizes and any T"),
]


@pytest.mark.parametrize(("options", "said"), BAD, ids=[" ".join(o)[:30] for o, _ in BAD])
def test_bad_sizes_are_one_line_and_exit_code_2(
    options: list[str], said: str, capsys: Capture
) -> None:
    assert main(["prove", "rnn", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("derive: ")
    assert said in err
    assert err.count("\n") == 1


def test_a_network_has_no_sizes_of_its_own(capsys: Capture) -> None:
    assert main(["prove", "stacked_lstm", "--steps", "2"]) == 2
    assert "'stacked_lstm' is a network; a cell is expected here" in capsys.readouterr().err
