"""`derive` for networks: what it prints, writes and refuses."""

import json

import pytest

from derive.__main__ import main
from derive.backends.numpy import numpy_source
from derive.backpropagation import backpropagate
from derive.proofs import prove
from derive.zoo import load_network, network_names


def document(capsys, *arguments):
    assert main([*arguments, "--json"]) in (0, 1)
    return json.loads(capsys.readouterr().out)


def test_show_has_layers_shapes_and_the_chain_between_layers(capsys):
    assert main(["show", "residual_lstm"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "2. lstm residual, dropout" in lines
    assert "parameter  W_f_2  (n_1, n_1)" in lines
    assert "dy_1 = bar(x_2) * mask_2 + dy_2" in lines
    assert "bar(x) = bar(x_1)" in lines
    assert lines.count("C = f * C[t-1] + i * g") == 1


def test_show_of_both_directions_adds_what_both_send_back(capsys):
    assert main(["show", "stacked_bidirectional_gru"]) == 0
    assert "  dy_1 = bar(x_2) + bar(x_2r)\n" in capsys.readouterr().out


def test_show_in_json_has_shapes_as_for_cells(capsys):
    found = document(capsys, "show", "lstm_classifier")
    assert found["inputs"] == [
        {"name": "x", "shape": ["m"]},
        {"name": "target", "shape": ["k_2"]},
    ]
    assert {"name": "loss_2", "shape": [1]} in found["states"]
    assert found["layers"][1]["sizes"] == {"k": "k_2", "m": "n_1"}
    assert set(found["equations"]) == {"lstm", "softmax_last_readout"}


def test_prove_names_the_cell_of_each_claim(capsys):
    found = document(capsys, "prove", "lstm_classifier")
    assert found["network"] == "lstm_classifier"
    assert {c["cell"] for c in found["claims"]} == {"lstm", "softmax_last_readout"}
    assert main(["prove", "lstm_classifier"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("lstm: ")
    assert "\nsoftmax_last_readout: " in text


def test_prove_exits_with_1_where_a_cells_claim_fails(tmp_path, capsys):
    place = tmp_path / "a.network"
    place.write_text("layer lstm\nlayer peephole_lstm\n")
    assert main(["prove", str(place)]) == main(["prove", "peephole_lstm"]) == 1
    capsys.readouterr()


def test_numpy_writes_the_module_with_its_cells_theorems(capsys, tmp_path):
    derived = backpropagate(load_network("lstm_classifier"))
    text = numpy_source(derived, {g.cell.name: prove(g) for g in derived.cells})
    assert main(["numpy", "lstm_classifier"]) == 0
    assert capsys.readouterr().out == text
    assert "    lstm: dC_t/dC_{t-1} = diag(f_t), direct [proved, kernel-checked]\n" in text
    place = tmp_path / "module.py"
    found = document(capsys, "numpy", "lstm_classifier", "-o", str(place))
    assert found == {"version": 1, "network": "lstm_classifier", "file": str(place)}
    assert place.read_text() == text


def test_all_writes_a_folder_and_checks_the_module(capsys, tmp_path):
    found = document(capsys, "all", "lstm_classifier", "-o", str(tmp_path / "there"))
    assert "largest relative error" in found["check"]
    assert sorted(p.name for p in (tmp_path / "there").iterdir()) == [
        "cell_lstm.tex",
        "cell_softmax_last_readout.tex",
        "lstm_classifier.py",
        "lstm_classifier.theorems.txt",
        "lstm_classifier.txt",
    ]
    assert {c["cell"] for c in found["claims"]} == {"lstm", "softmax_last_readout"}


def test_latex_says_which_articles_there_are(capsys):
    assert main(["latex", "lstm_classifier"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "derive: an article is about one cell, and 'lstm_classifier' is a network: use "
        "`derive latex` for each of lstm, softmax_last_readout\n"
    )


def test_list_has_networks_in_a_part_of_their_own(capsys, monkeypatch):
    few = ("gru", "lstm", "softmax_last_readout")  # the others take a while
    monkeypatch.setattr("derive.zoo.names", lambda: few)
    found = document(capsys, "list")
    assert [row["name"] for row in found["networks"]] == list(network_names())
    assert [row["name"] for row in found["cells"]] == list(few)
    row = next(r for r in found["networks"] if r["name"] == "stacked_lstm")
    assert row["layers"] == ["lstm", "lstm"]
    assert row["parameter_count"] == "4*(m*n_1 + n_1**2 + n_1*n_2 + n_1 + n_2**2 + n_2)"
    assert main(["list"]) == 0
    assert "\n\nNetworks\nbidirectional_lstm " in capsys.readouterr().out


@pytest.mark.parametrize("command", ["show", "prove", "numpy", "all", "latex"])
def test_a_wrong_file_is_said_in_one_line(command, tmp_path, capsys):
    place = tmp_path / "bad.network"
    place.write_text("layer lstm\nlayer lstm upside\n")
    assert main([command, str(place)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("derive: ")
    assert "bad.network: line 2: option 'upside'" in err
    assert err.count("\n") == 1
