"""The lines that make layers in PyTorch right, by the layer's name."""

from collections.abc import Mapping

from repair import Repair

__all__ = ["TORCH"]

_MLSTM = "mlstm_kernels/torch/parallel/native/bw.py"
_HELD = "hiddenState = hiddenState if hiddenState is None else hiddenState.clone()"
_ROWS = "rows = (matS * matD).sum(-1, keepdim=True)"
_ACTIVE = "torch.sign(rows) * (rows.abs() > torch.exp(-vecM[..., None]))"
_THROUGH = "(matDeltaHtilde * (matS * matD @ matV)).sum(-1, keepdim=True) / vecN[..., None] ** 2"

TORCH: Mapping[str, tuple[Repair, ...]] = {
    "labml_rhn": (
        Repair(
            "states that are handed in are a tuple, and are written to",
            "bug",
            (
                (
                    "labml_nn/recurrent_highway_networks/__init__.py",
                    141,
                    "torch.unbind(state)",
                    "list(torch.unbind(state))",
                ),
            ),
        ),
    ),
    "qrnn_salesforce": (
        Repair(
            "no gradient goes through the input that is kept for the next call",
            "choice",
            (
                (
                    "torchqrnn/qrnn.py",
                    109,
                    "Variable(X[-1:, :, :].data, requires_grad=False)",
                    "X[-1:, :, :]",
                ),
            ),
        ),
    ),
    "edgeml_fastgrnn": (
        Repair(
            "the state that is handed in is written over",
            "bug",
            (
                (
                    "pytorch/edgeml_pytorch/graph/rnn.py",
                    991,
                    "self.device = input.device",
                    f"self.device = input.device; {_HELD}",
                ),
            ),
        ),
    ),
    "mlstm_parallel": (
        Repair(
            "no gradient goes through the normaliser",
            "choice",
            (
                (
                    _MLSTM,
                    50,
                    "(DHQK**-0.5)",
                    f"(DHQK**-0.5); {_ROWS}; matDeltaC = matDeltaC - {_ACTIVE} * {_THROUGH}",
                ),
            ),
        ),
    ),
}
