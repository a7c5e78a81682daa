"""Keras layers through their adapter, on Keras's torch backend."""

import os

import pytest

from derive import zoo
from verify.loading import load_implementation
from verify.runner import run

torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'bptt[torch]'")
os.environ.setdefault("KERAS_BACKEND", "torch")  # Keras reads it once, when it is imported
keras = pytest.importorskip("keras", reason="keras is an extra: pip install 'bptt[keras]'")
if keras.backend.backend() != "torch":
    pytest.skip("needs Keras on torch: set KERAS_BACKEND=torch", allow_module_level=True)

from verify.adapters.keras_layer import MADE, keras_layer  # noqa: E402


def before_reset(units, dtype):
    return keras.layers.GRU(units, dtype=dtype, reset_after=False, **MADE)


LAYERS = {
    "rnn": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
    "gru_reset_before": before_reset,
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_of_keras_is_right_in_all_that_it_gives(name):
    report = run(zoo.load(name), keras_layer(LAYERS[name], cell=name), examples=15)
    assert report.findings == ()
    assert {"gradients", "padding gradients", "chaining gradients"} <= dict(report.judged).keys()
    assert "float64" in dict(report.not_judged)


def test_the_other_reset_convention_is_another_cell():
    gru = lambda units, dtype: keras.layers.GRU(units, dtype=dtype, **MADE)
    kernel = keras_layer(gru, cell="gru")
    assert run(zoo.load("gru"), kernel, examples=5).verdict == "right"
    biased = {"kernel": "[W_z.T, W_r.T, W_g.T]", "recurrent_kernel": "[U_z.T, U_r.T, U_g.T]"}
    biased["bias"] = "stack([b_z, b_r, b_g], [b_z, b_r, b_g])"
    other = keras_layer(gru, cell="gru_reset_before", arrays=biased)
    report = run(zoo.load("gru_reset_before"), other, examples=5)
    assert "values" in {f.property for f in report.findings}


def test_a_layer_is_known_by_its_class():
    kernel = load_implementation("keras.layers:LSTM", cell="lstm")
    assert run(zoo.load("lstm"), kernel, examples=3).verdict == "right"
