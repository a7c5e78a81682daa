"""The cells that long tests are run with; every cell of the zoo is in `test_every_cell.py`."""

__all__ = ["CORE", "GROWN_CORE"]

# The first five: gates, peepholes, a memory, both places of the reset.
CORE = ("gru", "gru_reset_before", "lstm", "peephole_lstm", "rnn")

# Beyond gates: a matrix memory with a norm that is bounded, a stabilised quotient with a kink,
# a memory that decays by rows, statistics over stacked vectors.
GROWN_CORE = ("gla", "lstm_layer_norm", "mlstm", "slstm")
