"""`verify convert`: files go from library to library; what cannot is said in one line."""

import json

import numpy as np
import pytest

from verify.__main__ import main
from verify.conventions import convert

N, M = 4, 3


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where lstm.npz, both.npz, gru.npz and flat.npz are."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    for gates, file in ((4, "lstm.npz"), (3, "gru.npz")):
        np.savez(file, **layer(gates, "", draw))
    np.savez("both.npz", **layer(4, "", draw), **layer(4, "_reverse", draw))
    np.savez("flat.npz", weights=draw(4 * N * (M + N) + 8 * N))
    np.savez("objects.npz", W=np.array([{}], object))
    np.save("one.npy", draw(3))
    (tmp_path / "text.npz").write_text("no archive")
    return tmp_path


def verify_convert(line):
    return main(["convert", *line.split()])


def layer(gates, end, draw):
    return {
        f"weight_ih_l0{end}": draw(gates * N, M),
        f"weight_hh_l0{end}": draw(gates * N, N),
        f"bias_ih_l0{end}": draw(gates * N),
        f"bias_hh_l0{end}": draw(gates * N),
    }


def loaded(path):
    with np.load(path) as file:
        return dict(file)


def test_a_file_is_converted_as_the_function_converts(folder, capsys):
    code = verify_convert("both.npz --from torch.lstm --to onnx.lstm -o out.npz")
    assert code == 0
    expected = convert(loaded("both.npz"), "torch.lstm", "onnx.lstm")
    found = loaded("out.npz")
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name])
        assert found[name].dtype == np.float32
    assert capsys.readouterr().out.splitlines() == [
        "onnx.lstm:",
        "  W  (2, 16, 3)  float32",
        "  R  (2, 16, 4)  float32",
        "  B  (2, 32)  float32",
    ]


def test_a_file_comes_back_from_there(folder):
    verify_convert("lstm.npz --from torch.lstm --to flax.lstm -o there.npz")
    verify_convert("there.npz --from flax.lstm --to torch.lstm -o back.npz")
    first, back = loaded("lstm.npz"), loaded("back.npz")
    assert back.keys() == first.keys()
    np.testing.assert_array_equal(back["weight_hh_l0"], first["weight_hh_l0"])
    np.testing.assert_array_equal(back["bias_ih_l0"], first["bias_ih_l0"] + first["bias_hh_l0"])
    assert not back["bias_hh_l0"].any()


def test_a_size_that_the_shape_does_not_tell_is_given(folder, capsys):
    code = verify_convert("flat.npz --from cudnn.lstm --to keras.lstm -o o.npz --size n=4")
    assert code == 0
    assert loaded("o.npz")["kernel"].shape == (M, 4 * N)


def test_one_direction_of_two_is_chosen(folder):
    verify_convert("both.npz --from torch.lstm --to keras.lstm -o o.npz --direction 1")
    expected = loaded("both.npz")["weight_ih_l0_reverse"].T
    np.testing.assert_array_equal(loaded("o.npz")["kernel"], expected)


def test_a_layer_of_a_model_is_chosen(folder):
    np.savez("model.npz", **{f"rnn.{k}": a for k, a in loaded("gru.npz").items()}, bias=np.ones(2))
    code = verify_convert("model.npz --from torch.gru --to gru -o o.npz --prefix rnn.")
    assert code == 0
    np.testing.assert_array_equal(loaded("o.npz")["W_r"], loaded("gru.npz")["weight_ih_l0"][:N])


def test_json_says_what_was_written(folder, capsys):
    assert verify_convert("gru.npz --from torch.gru --to gru -o o.npz --json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["version"] == 1
    assert said["convention"] == "gru"
    assert {"name": "c_g", "shape": [N], "dtype": "float32"} in said["arrays"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("gru.npz --from torch.gru --to flax_nnx.gru -o o.npz", "no place for c_g, which is not z"),
        ("gru.npz --from torch.gru --to torch.lstm -o o.npz", "no relation is known between"),
        ("gru.npz --from torch.gru --to onnx.gru_reset_before -o o.npz", "gru never computes"),
        ("both.npz --from torch.lstm --to keras.lstm -o o.npz", "has one direction, the arrays"),
        ("flat.npz --from cudnn.lstm --to torch.lstm -o o.npz", "give one of them, as n=4"),
        ("flat.npz --from cudnn.lstm --to torch.lstm -o o.npz --size n", "'n' is no size; write"),
        ("flat.npz --from cudnn.lstm --to torch.lstm -o o.npz --size n=-4", "'n=-4' is no size"),
        ("flat.npz --from cudnn.lstm --to torch.lstm -o o.npz --size n=5", "has shape (144,), exp"),
        ("lstm.npz --from torch.lstm --to torch.gru -o o.npz", "no relation is known"),
        ("lstm.npz --from torch.lstn --to torch.gru -o o.npz", "no convention 'torch.lstn'"),
        ("lstm.npz --from torch.lstm --to keras.lstm -o o.bin", "'o.bin' is no .npz file; name"),
        ("lstm.npz --from torch.lstm --to keras.lstm -o no/o.npz", "cannot be written: No such f"),
        ("lstm.npz --from torch.lstm --to keras.lstm", "arguments are required: -o/--output"),
        ("no.npz --from torch.lstm --to keras.lstm -o o.npz", "'no.npz' cannot be read: No such"),
        ("text.npz --from torch.lstm --to keras.lstm -o o.npz", "'text.npz' is no .npz file"),
        ("one.npy --from torch.lstm --to keras.lstm -o o.npz", "'one.npy' has one array, expected"),
        ("objects.npz --from torch.rnn --to keras.rnn -o o.npz", "'objects.npz' is no .npz file"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(folder, capsys, line, message):
    assert verify_convert(line) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert not said.out
    assert not (folder / "o.npz").exists()
