"""labml annotated papers: LSTM of one layer; gradients are autograd's."""

from theirs import module

from verify.adapters.torch_module import torch_module

theirs = module("annotated_deep_learning_paper_implementations", "labml_nn.lstm")
kernel = torch_module(
    lambda inputs, units: theirs.LSTM(inputs, units, 1),
    cell="lstm",
    state="1BF",
    arrays={
        "cells.0.hidden_lin.weight": "[[U_i], [U_f], [U_g], [U_o]]",
        "cells.0.hidden_lin.bias": "[b_i, b_f, b_g, b_o]",
        "cells.0.input_lin.weight": "[[W_i], [W_f], [W_g], [W_o]]",
    },
)
