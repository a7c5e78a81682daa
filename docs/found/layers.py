"""The layers that are run: what each is, where it comes from, and what it is judged as."""

from dataclasses import dataclass

from archives import ARCHIVES, Archive
from repairs import REPAIRS, Repair

__all__ = ["ARCHIVES", "LAYERS", "Archive", "Layer"]


@dataclass(frozen=True)
class Layer:
    """An adapter `NAME.py`, and the cell that the layer is judged as; it stands in `file`.

    Attributes:
        examples: how many, where the adapter refuses most; 0 for as many as the profile has.
    """

    name: str
    shown: str
    archive: str
    file: str
    cell: str
    examples: int = 0

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What makes it right."""
        return REPAIRS.get(self.name, ())


_ML = "numpy_ml/neural_nets/layers/layers.py"
_NPDL = "npdl/layers/recurrent.py"
_COURSE = "Sequence Models/Building a Recurrent Neural Network - Step by Step - v2.ipynb"
_LIGHT = "lightnn/layers/recurrent.py"


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
        examples=300,
    ),
    Layer(
        "mingru_pytorch_lstm",
        "minGRU-pytorch `minLSTM`",
        "minGRU-pytorch",
        "minGRU_pytorch/minLSTM.py",
        "minlstm_log_one_size.cell",
        examples=300,
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
    Layer(
        "karpathy_lstm",
        "Karpathy's `LSTM`, in Batched-Gated-Recurrent-Unit",
        "Batched-Gated-Recurrent-Unit",
        "LSTM-Karpathy.py",
        "lstm",
    ),
    Layer(
        "batched_gru",
        "Batched-Gated-Recurrent-Unit `GRU`",
        "Batched-Gated-Recurrent-Unit",
        "GRU.py",
        "gru_reset_before_z_new",
    ),
    Layer(
        "neuraltalk_lstm",
        "neuraltalk `LSTMGenerator`",
        "neuraltalk",
        "imagernn/lstm_generator.py",
        "lstm_one_size.cell",
    ),
    Layer("gru_rnn", "gru-rnn `lossFun`", "gru-rnn", "main.py", "gru_reset_before"),
    Layer(
        "cs231n_rnn",
        "CS231n (jariasf) `rnn_forward`, `rnn_backward`",
        "CS231n",
        "assignment3/cs231n/rnn_layers.py",
        "rnn",
    ),
    Layer(
        "cs231n_lstm",
        "CS231n (jariasf) `lstm_forward`, `lstm_backward`",
        "CS231n",
        "assignment3/cs231n/rnn_layers.py",
        "lstm",
    ),
    Layer(
        "coursera_rnn",
        "deep-learning-coursera (Kulbear) `rnn_forward`, `rnn_backward`",
        "deep-learning-coursera",
        _COURSE,
        "rnn",
    ),
    Layer(
        "coursera_lstm",
        "deep-learning-coursera (Kulbear) `lstm_forward`, `lstm_backward`",
        "deep-learning-coursera",
        _COURSE,
        "lstm",
    ),
    Layer(
        "data_science_rnn",
        "data-science-from-scratch `SimpleRnn`",
        "data-science-from-scratch",
        "scratch/nlp.py",
        "rnn",
    ),
    Layer(
        "jy_yoon_rnn",
        "RNN-Implementation-using-NumPy `forwardprop`, `backprop`",
        "RNN-Implementation-using-NumPy",
        "RNN Implementation using NumPy.ipynb",
        "rnn",
    ),
    Layer(
        "dennybritz_rnn", "rnn-tutorial-rnnlm `bptt`", "rnn-tutorial-rnnlm", "RNNLM.ipynb", "rnn"
    ),
    Layer(
        "sooftware_lstm",
        "TIL (sooftware) `LSTM`",
        "TIL",
        "Deep-Learning-from-Scratch-1_2/LSTM/LSTM.py",
        "lstm",
    ),
    Layer("giulio_zhou_rnn", "giulio-zhou/rnn `RNN`", "rnn", "network/rnn.py", "rnn"),
    Layer("giulio_zhou_lstm", "giulio-zhou/rnn `LSTM`", "rnn", "network/lstm.py", "lstm"),
    Layer("lightnn_rnn", "lightnn `SimpleRNN`", "lightnn", _LIGHT, "rnn"),
    Layer("lightnn_lstm", "lightnn `LSTM`", "lightnn", _LIGHT, "lstm"),
    Layer("lightnn_gru", "lightnn `GRU`", "lightnn", _LIGHT, "gru_reset_before"),
    Layer("tinynn_rnn", "tinynn `RNN`", "tinynn", "tinynn/core/layer.py", "rnn"),
    Layer("tinynn_lstm", "tinynn `LSTM`", "tinynn", "tinynn/core/layer.py", "lstm"),
    Layer(
        "chainer_lstm",
        "Chainer `LSTM`, `LSTMGrad`",
        "chainer",
        "chainer/functions/rnn/lstm.py",
        "lstm",
    ),
    Layer(
        "labml_lstm",
        "labml `LSTM`",
        "annotated_deep_learning_paper_implementations",
        "labml_nn/lstm/__init__.py",
        "lstm",
    ),
    Layer(
        "labml_rhn",
        "labml `RHN`",
        "annotated_deep_learning_paper_implementations",
        "labml_nn/recurrent_highway_networks/__init__.py",
        "rhn",
    ),
    Layer("haste_lstm", "haste `LSTM`", "haste", "frameworks/pytorch/lstm.py", "lstm"),
    Layer("haste_gru", "haste `GRU`", "haste", "frameworks/pytorch/gru.py", "gru"),
    Layer("sru_asapp", "sru `SRU`", "sru", "sru/ops.py", "sru"),
    Layer(
        "qrnn_salesforce",
        "pytorch-qrnn `QRNNLayer`",
        "pytorch-qrnn",
        "torchqrnn/qrnn.py",
        "qrnn_bias.cell",
    ),
    Layer(
        "edgeml_fastgrnn",
        "EdgeML `FastGRNN`",
        "EdgeML",
        "pytorch/edgeml_pytorch/graph/rnn.py",
        "fastgrnn",
    ),
    Layer("mamba_py", "mamba.py `MambaBlock.selective_scan`", "mamba.py", "mambapy/pscan.py", "s6"),
    Layer("mamba_minimal", "mamba-minimal `MambaBlock.ssm`", "mamba-minimal", "model.py", "s6"),
    Layer(
        "recurrentgemma_rglru",
        "recurrentgemma `RGLRU`, in PyTorch",
        "recurrentgemma",
        "recurrentgemma/torch/layers.py",
        "rg_lru",
    ),
    Layer(
        "mlstm_parallel",
        "mlstm_kernels `mlstm_parallel__native_custbw`",
        "mlstm_kernels",
        "mlstm_kernels/torch/parallel/native/bw.py",
        "mlstm_qkv.cell",
    ),
    Layer(
        "fla_delta_chunkwise",
        "flash-linear-attention `delta_rule_chunkwise`",
        "flash-linear-attention",
        "fla/ops/delta_rule/naive.py",
        "delta_net",
    ),
)
