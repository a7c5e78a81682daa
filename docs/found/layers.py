"""The layers that are run: what each is, where it comes from, and what it is judged as."""

from collections.abc import Mapping
from dataclasses import dataclass

from repairs import REPAIRS, Repair

__all__ = ["ARCHIVES", "LAYERS", "Archive", "Layer"]


@dataclass(frozen=True)
class Archive:
    """Where code comes from.

    Attributes:
        version: of the package, or the commit.
        url: of the repository; '' for a package on PyPI.
    """

    name: str
    version: str
    url: str = ""


@dataclass(frozen=True)
class Layer:
    """An adapter `NAME.py`, and the cell that the layer is judged as; it stands in `file`."""

    name: str
    shown: str
    archive: str
    file: str
    cell: str

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What makes it right."""
        return REPAIRS.get(self.name, ())


_GITHUB = "https://github.com/"
ARCHIVES: Mapping[str, Archive] = {
    row.name: row
    for row in (
        Archive("numpy-ml", "0.1.2"),
        Archive("EpyNN", "1.2.13"),
        Archive("PyBrain3", "3.0.4"),
        Archive("mygrad", "2.5.0"),
        Archive("torchrecurrent", "0.2.5"),
        Archive("minGRU-pytorch", "0.2.1"),
        Archive(
            "deep-learning-from-scratch-2",
            "842ae31c2bb070f5116275606ed90396626a2c17",
            _GITHUB + "oreilly-japan/deep-learning-from-scratch-2",
        ),
        Archive("lstm", "a2f2e99cb48acee421d5ba3a084af63131da10c6", _GITHUB + "nicodjimenez/lstm"),
        Archive(
            "gru-cell-in-numpy",
            "ca920dd3817cecebe4ca6c3ea64b908aef3b3597",
            _GITHUB + "nianiaele/gru-cell-in-numpy",
        ),
        Archive(
            "ML-From-Scratch",
            "a2806c6732eee8d27762edd6d864e0c179d8e9e8",
            _GITHUB + "eriklindernoren/ML-From-Scratch",
        ),
        Archive("NumpyDL", "29c03402500cd3227daadaaf63147856068c9ae7", _GITHUB + "oujago/NumpyDL"),
        Archive("learn_dl", "c2ec5f1399818a39c2140bef7e2edd46e6c6815a", _GITHUB + "hanbt/learn_dl"),
        Archive(
            "RNN-LSTM-in-numpy",
            "f0d2c883d6a0ee913bff9dae21162b9da494be00",
            _GITHUB + "CaptainE/RNN-LSTM-in-numpy",
        ),
    )
}

_ML = "numpy_ml/neural_nets/layers/layers.py"
_NPDL = "npdl/layers/recurrent.py"


LAYERS: tuple[Layer, ...] = (
    Layer("numpy_ml_lstm", "numpy-ml `LSTMCell`", "numpy-ml", _ML, "lstm"),
    Layer("numpy_ml_rnn", "numpy-ml `RNNCell`", "numpy-ml", _ML, "rnn"),
    Layer("numpy_ml_layer", "numpy-ml `LSTM`", "numpy-ml", _ML, "lstm"),
    Layer("epynn_lstm", "EpyNN `LSTM`", "EpyNN", "epynn/commons/maths.py", "lstm"),
    Layer("epynn_gru", "EpyNN `GRU`", "EpyNN", "epynn/commons/maths.py", "gru_reset_before"),
    Layer("epynn_rnn", "EpyNN `RNN`", "EpyNN", "epynn/rnn/models.py", "rnn"),
    Layer(
        "pybrain_lstm",
        "PyBrain3 `LSTMLayer`",
        "PyBrain3",
        "pybrain3/structure/modules/lstm.py",
        "peephole_lstm",
    ),
    Layer("mygrad_gru", "mygrad `gru`", "mygrad", "mygrad/nnet/layers/gru.py", "gru_reset_before"),
    Layer(
        "torchrecurrent_lstm",
        "torchrecurrent `PeepholeLSTM`",
        "torchrecurrent",
        "torchrecurrent/cells/peepholelstm_cell.py",
        "peephole_lstm",
    ),
    Layer(
        "torchrecurrent_lem",
        "torchrecurrent `LEM`",
        "torchrecurrent",
        "torchrecurrent/cells/lem_cell.py",
        "lem",
    ),
    Layer(
        "mingru_pytorch_gru",
        "minGRU-pytorch `minGRU`",
        "minGRU-pytorch",
        "minGRU_pytorch/minGRU.py",
        "mingru_log_one_size.cell",
    ),
    Layer(
        "mingru_pytorch_lstm",
        "minGRU-pytorch `minLSTM`",
        "minGRU-pytorch",
        "minGRU_pytorch/minLSTM.py",
        "minlstm_log_one_size.cell",
    ),
    Layer(
        "oreilly_lstm",
        "Deep Learning from Scratch 2 `TimeLSTM`",
        "deep-learning-from-scratch-2",
        "common/time_layers.py",
        "lstm",
    ),
    Layer(
        "oreilly_rnn",
        "Deep Learning from Scratch 2 `TimeRNN`",
        "deep-learning-from-scratch-2",
        "common/time_layers.py",
        "rnn",
    ),
    Layer(
        "lstm_nicodjimenez",
        "nicodjimenez/lstm `LstmNode`",
        "lstm",
        "lstm.py",
        "lstm_no_output_function.cell",
    ),
    Layer(
        "gru_nianiaele",
        "nianiaele/gru-cell-in-numpy `GRU_Cell`",
        "gru-cell-in-numpy",
        "gru.py",
        "gru_reset_before_z_new",
    ),
    Layer(
        "ml_from_scratch_rnn",
        "ML-From-Scratch `RNN`",
        "ML-From-Scratch",
        "mlfromscratch/deep_learning/layers.py",
        "rnn_linear_readout.cell",
    ),
    Layer("numpydl_rnn", "NumpyDL `SimpleRNN`", "NumpyDL", _NPDL, "rnn"),
    Layer("numpydl_lstm", "NumpyDL `BatchLSTM`", "NumpyDL", _NPDL, "lstm"),
    Layer("learn_dl_lstm", "learn_dl `LstmLayer`", "learn_dl", "lstm.py", "lstm"),
    Layer(
        "rnn_lstm_in_numpy",
        "RNN-LSTM-in-numpy `forward`, `backward`",
        "RNN-LSTM-in-numpy",
        "RNN_LSTM_from_scratch.ipynb",
        "lstm",
    ),
)
