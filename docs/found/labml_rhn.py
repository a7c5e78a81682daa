"""labml annotated papers: RHN of one layer, depth 2; gradients are autograd's."""

from theirs import module

from verify.adapters.torch_module import torch_module

theirs = module(
    "annotated_deep_learning_paper_implementations", "labml_nn.recurrent_highway_networks"
)
kernel = torch_module(
    lambda inputs, units: theirs.RHN(inputs, units, 2, 1),
    cell="rhn",
    state="1BF",
    arrays={
        "cells.0.input_lin.weight": "[[W_h], [W_t]]",
        "cells.0.hidden_lin.0.weight": "[[R_h1], [R_t1]]",
        "cells.0.hidden_lin.0.bias": "[b_h1, b_t1]",
        "cells.0.hidden_lin.1.weight": "[[R_h2], [R_t2]]",
        "cells.0.hidden_lin.1.bias": "[b_h2, b_t2]",
    },
)
