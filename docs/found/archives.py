"""Where other people's layers come from: packages on PyPI, repositories on GitHub."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ARCHIVES", "Archive"]


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


PACKAGES = (
    Archive("numpy-ml", "0.1.2"),
    Archive("EpyNN", "1.2.13"),
    Archive("PyBrain3", "3.0.4"),
    Archive("mygrad", "2.5.0"),
    Archive("torchrecurrent", "0.2.5"),
    Archive("minGRU-pytorch", "0.2.1"),
    Archive("sru", "2.6.0"),
)
REPOSITORIES = (
    ("oreilly-japan", "deep-learning-from-scratch-2", "842ae31c2bb070f5116275606ed90396626a2c17"),
    ("nicodjimenez", "lstm", "a2f2e99cb48acee421d5ba3a084af63131da10c6"),
    ("nianiaele", "gru-cell-in-numpy", "ca920dd3817cecebe4ca6c3ea64b908aef3b3597"),
    ("eriklindernoren", "ML-From-Scratch", "a2806c6732eee8d27762edd6d864e0c179d8e9e8"),
    ("oujago", "NumpyDL", "29c03402500cd3227daadaaf63147856068c9ae7"),
    ("hanbt", "learn_dl", "c2ec5f1399818a39c2140bef7e2edd46e6c6815a"),
    ("CaptainE", "RNN-LSTM-in-numpy", "f0d2c883d6a0ee913bff9dae21162b9da494be00"),
    ("MichaelMastro", "Batched-Gated-Recurrent-Unit", "cf88bb43d2f13331412bd88f05d471aa4d34a5d2"),
    ("karpathy", "neuraltalk", "c36bd0aa23907638a1217f03a13bdba5e1a8cada"),
    ("erikvdplas", "gru-rnn", "958f185ef69d29e7846205300307b2799754a541"),
    ("joelgrus", "data-science-from-scratch", "d5d0f117f41b3ccab3b07f1ee1fa21cfcf69afa1"),
    ("Kulbear", "deep-learning-coursera", "997fdb2e2db67acd45d29ae418212463a54be06d"),
    ("jariasf", "CS231n", "306a3ac834b9a9501c36a63a568370084c167efe"),
    ("dennybritz", "rnn-tutorial-rnnlm", "344d8ffbe2230335c44138ecbd4cd93c7e993aa0"),
    ("JY-Yoon", "RNN-Implementation-using-NumPy", "64ea405ec2c5547e17e20abea6df67661101a317"),
    ("sooftware", "TIL", "33ee26c3d13d9ddcbcfa66c9830149a9677a64ff"),
    ("giulio-zhou", "rnn", "29af144547b23fc2aff4906ea50bbbb20a0ef708"),
    ("l11x0m7", "lightnn", "2a2e23610779a2a5b008967b4e6d518988cb3279"),
    ("borgwang", "tinynn", "0fb0f94a896ecefe3ba99806f82050b3fed4b5cd"),
    ("chainer", "chainer", "a8e15cbe55a90854a3918b8b5a976abbbff9ec94"),
    (
        "labmlai",
        "annotated_deep_learning_paper_implementations",
        "e6b3c8a6a2cdae4071bcde1abeaaf9a2bc37bd53",
    ),
    ("lmnt-com", "haste", "ceba32ecd3735062f25e56b08ef3143caa086753"),
    ("salesforce", "pytorch-qrnn", "1634991a8270060d48128a0af5ffd1f75db3ae08"),
    ("microsoft", "EdgeML", "81025fce8ba28707eabe72e11bf3987a8d745608"),
    ("alxndrTL", "mamba.py", "2cc168c78b2494557f45072c4b8daa9d6f5608c7"),
    ("johnma2006", "mamba-minimal", "03de542a36d873f6e6c4057ad687278cc6ae944d"),
    ("google-deepmind", "recurrentgemma", "2efa84dac0e68e63547a27a18fa943c98f1c312e"),
    ("fla-org", "flash-linear-attention", "bc3b101dcb713ddc5bd8924b66754eb68b5ccf89"),
    ("NX-AI", "mlstm_kernels", "39d3c61741e5d2c0e6ab8922106dd236632c5139"),
)
ARCHIVES: Mapping[str, Archive] = {row.name: row for row in PACKAGES} | {
    name: Archive(name, commit, f"https://github.com/{owner}/{name}")
    for owner, name, commit in REPOSITORIES
}
