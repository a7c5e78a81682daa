"""Rows: Flax, Haiku, JAX's own LSTM."""

from collections.abc import Mapping

from verify.conventions.row import Convention, Stack, stacked

__all__ = ["ROWS"]

_FLAX = "https://github.com/google/flax/blob/18f8f311c275d57f46d95e41b15aa97b454754c0/flax"
_HAIKU = (
    "https://github.com/google-deepmind/dm-haiku/blob/"
    "30b2cb5ce29ea13fc75087146658ec158c007c0a/haiku/_src/recurrent.py"
)


def _dense(prefix: str, stem: str, gates: Mapping[str, str]) -> dict[str, tuple[Stack, ...]]:
    """A matrix of its own for each gate, transposed, by the library's letter for the gate."""
    return {
        f"{prefix}{letter}/kernel": (Stack((f"{stem}_{gate}",), "c r"),)
        for letter, gate in gates.items()
    }


def _biases(prefix: str, stem: str, gates: Mapping[str, str]) -> dict[str, tuple[Stack, ...]]:
    return {
        f"{prefix}{letter}/bias": (Stack((f"{stem}_{gate}",), "r"),)
        for letter, gate in gates.items()
    }


def _flax(
    layer: str,
    cell: str,
    arrays: Mapping[str, tuple[Stack, ...]],
    *gates: str,
    package: str = "linen",
    missing: Mapping[str, str] | None = None,
) -> Convention:
    name, file = (
        ("flax", "linen/recurrent.py")
        if package == "linen"
        else (
            "flax_nnx",
            "nnx/nn/recurrent.py",
        )
    )
    return Convention(
        f"{name}.{cell}",
        cell,
        gates,
        arrays,
        optional=frozenset(),
        source=f"{_FLAX}/{file}",
        library=f"flax.{package}.{layer}",
        checked="run",
        missing=missing or {},
        sequence="BTF",
    )


_LSTM = {"i": "i", "f": "f", "g": "g", "o": "o"}
_GRU = {"r": "r", "z": "z", "n": "g"}
_DENSE = {
    "dense_i/kernel": (Stack(("W",), "c (g r)"),),
    "dense_h/kernel": (Stack(("U",), "c (g r)"),),
}

ROWS = (
    _flax(
        "SimpleCell",
        "rnn",
        {
            "i/kernel": (Stack(("W",), "c r"),),
            "i/bias": (Stack(("b",), "r"),),
            "h/kernel": (Stack(("U",), "c r"),),
        },
    ),
    _flax(
        "OptimizedLSTMCell",
        "lstm",
        _dense("i", "W", _LSTM) | _dense("h", "U", _LSTM) | _biases("h", "b", _LSTM),
        *_LSTM.values(),
    ),
    _flax(
        "GRUCell",
        "gru",
        _dense("i", "W", _GRU)
        | _biases("i", "b", _GRU)
        | _dense("h", "U", _GRU)
        | _biases("h", "c", {"n": "g"}),
        *_GRU.values(),
    ),
    _flax(
        "OptimizedLSTMCell",
        "lstm",
        _DENSE | {"dense_h/bias": (Stack(("b",), "(g r)"),)},
        *_LSTM.values(),
        package="nnx",
    ),
    _flax(
        "GRUCell",
        "gru",
        _DENSE | {"dense_i/bias": (Stack(("b",), "(g r)"),)},
        *_GRU.values(),
        package="nnx",
        missing={
            "c_g": "its recurrent matrix has no bias, and c_g, which the reset gate multiplies, "
            "cannot be added to b_g"
        },
    ),
    Convention(
        "haiku.lstm",
        "lstm",
        ("i", "g", "f", "o"),
        stacked(w=("W U", "(s c) (g r)"), b=("b", "(g r)")),
        optional=frozenset(),
        source=_HAIKU,
        library="haiku.LSTM",
        checked="run",
        offsets={"b_f": 1.0},
        sequence="BF",
    ),
    Convention(
        "haiku.gru_reset_before_z_new",
        "gru_reset_before_z_new",
        ("z", "r", "g"),
        stacked(w_i=("W", "c (g r)"), w_h=("U", "c (g r)"), b=("b", "(g r)")),
        optional=frozenset(),
        source=_HAIKU,
        library="haiku.GRU",
        checked="run",
        sequence="BF",
    ),
    Convention(
        "jax.lstm",
        "lstm",
        ("i", "f", "g", "o"),
        {"weights": (Stack(("W", "U"), "(d s g r c)"), Stack(("b", "c|b"), "(d s g r)"))},
        optional=frozenset(),
        source="https://docs.jax.dev/en/latest/jax.experimental.rnn.html",
        library="jax.experimental.rnn.lstm",
        checked="run",
        sequence="BTF",
    ),
)
