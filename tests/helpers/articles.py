"""Cells and claims that are hard to typeset, and the check that TeX opens and closes in turn."""

import re

from core import CORE, GROWN_CORE

from derive.cell import Cell
from derive.claim import DECIDED, PROVED, REFUTED, VOID, Claim
from derive.language import parse
from derive.zoo import load

CLAIMS = (
    Claim(
        theorem="cell path",
        statement="direct dC_t/dC_{t-1} = diag(f_t) & nothing else, 100 % of it #1 ~ $",
        latex=r"\frac{\partial C_{t}}{\partial C_{t-1}} = \operatorname{diag}(f_{t})",
        verdict=PROVED,
        level=DECIDED,
        method="both sides reduced to the same form",
        hypotheses="h_{t-1} held fixed",
        source="Gers, Schmidhuber & Cummins (2000), doi:10.1162/089976600300015015",
    ),
    Claim(
        theorem="frozen gates",
        statement="gates never read C[t-1]",
        latex="a_{t} = b_{t}",
        verdict=REFUTED,
        level=DECIDED,
        method="the difference was evaluated",
        hypotheses="",
        source="",
        remainder=("p_f * C",),
        remainder_latex=(r"f_{t} \odot (1 - f_{t}) \odot p_{f} \odot C_{t-1}",) * 2,
        example="n = 1, p_f = 1: 0.41 is not 0.38",
        should_hold=False,
    ),
    Claim("path of h^2", "a {b}", "x", VOID, "", "", "not for {this} cell", ""),
)

LONG_NAMES = """input alpha_input_sequence[features]
state hidden_state_of_the_network[units], eta[units]
sigma_x = sigmoid(weights_of_the_first_gate_W1 @
    [hidden_state_of_the_network[t-1], alpha_input_sequence, eta[t-1]] + bias_alpha)
eta = sigma_x * eta[t-1] + (1 - sigma_x) ** 3 * tanh(second_matrix_V @
    [hidden_state_of_the_network[t-1], alpha_input_sequence]) ** 2 - 0.25 * exp(Gamma * eta[t-1])
hidden_state_of_the_network = softplus(Q.T @ tanh(eta)) * tanh(eta)
    * (1/3 - sigma_x + beta_1 * hidden_state_of_the_network[t-1]) ** 2
"""
STACKED = '''"""A mixed \u03c3-cell, 100% of \u00e9 & {x}_y ^ ~ $ \u4e2d.
Source: M\u00fcller_2020 #3, doi:10.1000/a-very-long-address-that-cannot-be-broken_anywhere."""
input x[m]
state h[n], T[n]
f = sigmoid(W_f @ [h[t-1], x] + b)
T = f * T[t-1] + (1 - f) * tanh(V @ [h[t-1], x]) ** 2
h = softplus(Q.T @ tanh(T)) * tanh(T) - 0.5 * T ** 2 + sigma * (1/3 - f) ** 3
'''


def joined(text: str) -> str:
    """Equations over several lines on one."""
    return re.sub(r"\n {4}", " ", text)


def cells() -> dict[str, Cell]:
    users = {"long_names": joined(LONG_NAMES), "stacked": STACKED}
    zoo = {name: load(name) for name in (*CORE, *GROWN_CORE)}
    return zoo | {name: parse(text, name) for name, text in users.items()}


CELLS = cells()


_NOTE = re.compile(r"&+ (\\qquad\\quad )?\\text\{\\small .*?\}(?= \\label| \\notag|\\\\|\n)")
_LAYOUT = re.compile(r"\\label\{[^}]*\}|\\notag|\\\\\*?|\s|&|\\q?quad|\{\}")


def unbroken(tex: str, notes: bool = True) -> str:
    """Formulas as they are before they are broken into lines, with the notes beside or without."""
    return _LAYOUT.sub("", tex if notes else _NOTE.sub("", tex))


def check_balance(tex: str) -> None:
    """Braces, environments and dollars open and close in turn."""
    bare = re.sub(r"\\[\\{}$%]", "", tex)
    depth = 0
    for character in bare:
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0
    assert bare.count("$") % 2 == 0
    inside: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{([^}]*)\}", tex):
        if kind == "begin":
            inside.append(name)
        else:
            assert inside.pop() == name
    assert inside == []
