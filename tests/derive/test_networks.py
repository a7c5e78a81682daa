"""Networks as values and as text: names, sizes, errors."""

from pathlib import Path

import pytest

from derive import zoo
from derive.cell import Cell
from derive.errors import CellError, UsageError
from derive.language import parse
from derive.networks import Layer, Network, parse_network

LSTM = zoo.load("lstm")
OWN = {
    "lstm": LSTM,
    "gru": zoo.load("gru"),
    "readout": zoo.load("softmax_last_readout"),
    "three": parse("input x[3]\nstate h[n]\nh = tanh(W @ x + U @ h[t-1])", "three"),
    "same": parse("input x[n]\nstate h[n]\nh = tanh(x + h[t-1])", "same"),
    "four": parse("input x[m]\nstate h[4]\nh = tanh(W @ x + U @ h[t-1])", "four"),
    "awkward": parse(
        "input x[n_1], h_1[q], mask_2[q]\nstate h[n]\nh = W @ x + V @ h_1 + V @ mask_2 + h[t-1]",
        "awkward",
    ),
}


def read(text: str | bytes) -> Network:
    return parse_network(text, OWN.__getitem__)


def shapes(variables) -> dict[str, str]:
    return {v.name: ", ".join(map(str, v.shape)) for v in variables}


def test_layers_read_the_outputs_below_them_and_carry_their_number():
    found = read("layer lstm\nlayer gru both\nlayer readout\n")
    assert shapes(found.inputs) == {"x": "m", "target": "k_3"}
    assert shapes(found.states) == {
        "h_1": "n_1",
        "C_1": "n_1",
        "h_2": "n_2",
        "h_2r": "n_2",
        "z_3": "k_3",
        "loss_3": "1",
    }
    parameters = shapes(found.parameters)
    assert len(parameters) == 12 + 2 * 10 + 2
    assert parameters["W_f_1"] == "n_1, m"
    assert parameters["W_r_2"] == parameters["W_r_2r"] == "n_2, n_1"
    assert parameters["W_3"] == "k_3, 2*n_2"
    assert shapes([found.output]) == {"z_3": "k_3"}
    assert not found.causal
    assert list(map(str, found.dimensions)) == ["n_1", "n_2", "k_3", "m"]


@pytest.mark.parametrize(
    ("text", "output", "inputs"),
    [
        ("layer lstm both", "2*n_1", {"x": "m"}),
        ("layer lstm reverse", "n_1", {"x": "m"}),
        ("layer lstm residual", "m", {"x": "m"}),
        ("layer lstm both, residual", "2*n_1", {"x": "2*n_1"}),
        ("layer lstm\nlayer gru residual", "n_1", {"x": "m"}),
        ("layer lstm both\nlayer gru residual, dropout", "2*n_1", {"x": "m", "mask_2": "2*n_1"}),
        ("layer lstm both\nlayer gru both, residual", "2*n_1", {"x": "m"}),
        ("layer lstm\nlayer three", "n_2", {"x": "m"}),
        ("layer three\nlayer three", "n_2", {"x": "3"}),
        ("layer four both\nlayer same residual", "8", {"x": "m"}),
        ("layer three both\nlayer four residual", "4", {"x": "3"}),
        ("layer same\nlayer same both", "2*n", {"x": "n"}),
        ("layer four\nlayer lstm residual", "4", {"x": "m"}),
    ],
)
def test_sizes_that_must_be_one_become_one(text, output, inputs):
    found = read(text)
    assert str(found.output.shape[0]) == output
    assert shapes(found.inputs) == inputs


def test_a_number_fixes_the_size_below_it():
    assert shapes(read("layer lstm\nlayer three").states) == {"h_1": "3", "C_1": "3", "h_2": "n_2"}


def test_a_name_that_is_taken_gets_another():
    found = read("layer awkward\nlayer gru dropout\nlayer readout both\nlayer readout")
    names = [v.name for v in found.inputs]
    assert names == ["x", "h_1_1", "mask_2_1", "mask_2", "target_3", "target_4"]
    assert shapes(found.inputs)["x"] == "n_1_1"
    assert shapes(found.states)["h_1"] == "n_1"
    everything = [v.name for v in (*found.inputs, *found.states, *found.parameters)]
    everything += [f"{s.name}_0" for s in found.states]
    assert len(everything) == len(set(everything))


def test_two_cells_of_one_name_are_two():
    other = Cell(
        "lstm",
        *(getattr(OWN["gru"], k) for k in ("inputs", "states", "parameters")),
        OWN["gru"].equations,
    )
    found = Network("two", (Layer(LSTM), Layer(other), Layer(LSTM)))
    assert [cell.name for cell in found.cells] == ["lstm", "lstm_2"]
    assert found.cell_of(found.layers[2]) == LSTM


TEXT = '''"""Some layers.
Source: a book (1999)."""
layer lstm
layer gru both, dropout
layer same reverse, residual
'''


def test_its_text_reads_back_equal():
    found = read(TEXT)
    assert str(found) == TEXT
    assert read(str(found)) == found
    assert (found.title, found.source) == ("Some layers", "a book (1999).")
    assert read("# a note\n\n layer  lstm   # two\r\nlayer gru dropout ,both") == Network(
        "", (Layer(LSTM), Layer(OWN["gru"], "both", dropout=True))
    )
    assert read("layer gru") != read("layer gru reverse")


@pytest.mark.parametrize("name", zoo.network_names())
def test_the_zoos_networks_read_back_equal_and_name_their_source(name):
    found = zoo.load_network(name)
    assert parse_network(str(found), zoo.load) == found
    assert found.name == name
    assert found.title
    assert found.source
    assert name not in zoo.names()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: a network without a layer; write `layer CELL`, as in `layer lstm`"),
        ("layer", "line 1: expected `layer CELL`, and behind it any of reverse, both, residual"),
        ("\nlstm both", "line 2: expected `layer CELL`, .*; found `lstm both`"),
        ("layer ../../etc/passwd", "line 1: expected `layer CELL`"),
        ("layer lstm.network", "line 1: option '.network'|line 1: expected `layer CELL`"),
        ("layer lstm\nlayer lstm sideways", "line 2: option 'sideways' in `layer lstm sideways`"),
        ("layer lstm both residual", "line 1: option 'both residual' in .*, with commas between"),
        ("layer lstm both,", "line 1: option '' in"),
        ("layer lstm both, reverse", "line 1: 'reverse' after 'both' in .*; write one direction"),
        ("layer lstm dropout, dropout", "line 1: 'dropout' after 'dropout'"),
        (
            "layer four\nlayer three",
            "line 2: the input of layer 2 has size 3, expected 4, as the output of the layer bef",
        ),
        (
            "layer lstm both\nlayer three",
            r"line 2: the input of layer 2 has size 3, expected 2\*n_1, as the output of",
        ),
        (
            "layer four\nlayer four both, residual",
            "line 2: the output of layer 2 has size 8, expected 4, as its input, which is added",
        ),
        ('"""open\nlayer lstm', 'line 1: the documentation is not closed by """'),
        (b"layer lstm\n\xff", "line 2: byte 11 is not UTF-8"),
        ("layer lstm\n" * 101, "line 101: more than 100 layers"),
        ("layer lstm\n# \x07", "line 2: control character"),
        ("x" * 70_000, "line 1: the text has more than 65536 bytes"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text, said):
    with pytest.raises(CellError, match=f"^{said}") as caught:
        read(text)
    message = str(caught.value)
    assert message.isprintable()
    assert message.isascii()
    assert len(message) < 400


def test_layers_without_a_text_are_named_by_their_number():
    with pytest.raises(CellError, match=r"^layer 2: the input of layer 2 has size 3, expected 4"):
        Network("bad", (Layer(OWN["four"]), Layer(OWN["three"])))


# Files.


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_a_cell_may_stand_beside_its_network(tmp_path):
    write(tmp_path, "mine.cell", str(OWN["same"]))
    write(tmp_path, "lstm.cell", str(OWN["four"]))
    place = write(tmp_path, "my net.network", "layer lstm\nlayer mine\nlayer lstm.cell")
    found = zoo.load_network(place)
    assert found.name == "my_net"
    assert [layer.cell for layer in found.layers] == [LSTM, OWN["same"], OWN["four"]]
    assert str(found) == "layer lstm\nlayer mine\nlayer lstm.cell\n"


def test_errors_of_files_name_file_line_and_cell(tmp_path):
    place = write(tmp_path, "a.network", "layer lstm\nlayer none")
    with pytest.raises(CellError, match=r"a\.network: line 2: cell 'none': no cell of the zoo"):
        zoo.load_network(place)
    write(tmp_path, "none.cell", "state h[n]\nh = what(h[t-1])")
    with pytest.raises(CellError, match=r"a\.network: line 2: cell 'none': .*none\.cell: line 2: "):
        zoo.load_network(place)
    with pytest.raises(UsageError, match=r"'gone\.network' is neither a network of the zoo"):
        zoo.load_network("gone.network")
    with pytest.raises(UsageError, match="'stacked_lstm' is a network; a cell is expected here"):
        zoo.load("stacked_lstm")
