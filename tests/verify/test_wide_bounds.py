"""Examples whose bounds are too wide to decide are replaced by others, and counted."""

import json
from dataclasses import replace

import numpy as np
from low_precision import ARITHMETICS, Computed, emitted
from wrong_kernels import grads, having

from derive.gradients import gradients
from derive.zoo import load
from verify.isolation import Journal
from verify.properties import Trial
from verify.report import to_json, to_text
from verify.runner import run
from verify.strategies import make_example

GRU = load("gru")
EXAMPLE = make_example(GRU, steps=3, batch=2, sizes={"n": 3, "m": 2}, seed=0)


class Declared(Computed):
    computes_in = "bfloat16"


def trial(kernel, example=EXAMPLE):
    return Trial(kernel, example, gradients(GRU))


def test_bounds_are_wide_where_a_result_could_be_doubled_within_them():
    assert not trial(emitted(GRU)).wide
    long = make_example(GRU, steps=12, batch=2, sizes={"n": 3, "m": 2}, seed=0)
    assert trial(Declared(GRU, ARITHMETICS["bfloat16"]), long).wide


def test_a_result_that_is_zero_asks_for_nothing():
    nothing = replace(EXAMPLE, dy=np.zeros_like(EXAMPLE.dy), dstate_T=None)
    assert not trial(emitted(GRU), nothing).wide


def test_one_wide_result_is_enough():
    kernel, wide = emitted(GRU), trial(emitted(GRU))
    bounds = wide.reference().grad_bounds
    bounds["U_r"] = np.abs(wide.reference().grads["U_r"])
    assert wide.wide
    assert not trial(kernel).wide


def report(**given):
    return run(GRU, emitted(GRU), examples=3, precision="tf32", **given)


def test_the_promised_number_of_examples_decides_and_the_others_are_counted():
    found = report()
    assert found.verdict == "right"
    assert found.examples == 3
    assert found.replaced > 0
    what = "1 example, its" if found.replaced == 1 else f"{found.replaced} examples, their"
    assert f"replaced: {what} bounds were too wide" in to_text(found).splitlines()
    assert json.loads(to_json(found))["replaced"] == found.replaced
    assert json.loads(to_json(found))["precision"] == "tf32"


def test_a_run_that_replaced_none_does_not_speak_of_it():
    found = run(GRU, emitted(GRU), examples=2)
    assert found.replaced == 0
    assert "replaced" not in to_text(found)


def test_progress_counts_what_decides():
    seen = []
    report(progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k, 3) for k in range(1, 4)]


def test_a_resumed_run_knows_what_was_replaced(tmp_path):
    found = []
    for _ in range(2):
        with Journal.open(tmp_path / "journal", {}) as journal:
            found.append(report(journal=journal))
    first, again = ((r.examples, r.replaced) for r in found)
    assert first == again
    assert first[1] > 0


def test_where_no_example_decides_the_run_ends():
    found = run(GRU, Declared(GRU, ARITHMETICS["bfloat16"]), examples=2, precision="bfloat16")
    assert found.examples <= 2
    assert found.examples + found.replaced <= 6


def test_an_example_that_is_replaced_is_judged_all_the_same():
    wrong = grads(lambda g, *_: having(g, "b_z", 100 + g["b_z"]))(emitted(GRU))
    assert run(GRU, wrong, examples=1, precision="tf32").verdict == "wrong"
