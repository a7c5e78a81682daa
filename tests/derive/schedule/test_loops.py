"""The schedule in the emitted source: what a step holds, and what is done once for all steps."""

import ast

import pytest
from kernel_cases import ALL, derived_for

from derive.backends.numpy import numpy_source
from derive.backends.numpy.forms import is_fused


def function(name: str, called: str) -> ast.FunctionDef:
    tree = ast.parse(numpy_source(derived_for(name)))
    return next(n for n in tree.body if getattr(n, "name", "") == called)


def is_product(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.MatMult)
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.matmul", "np.dot")


def steps_of(found: ast.FunctionDef) -> list[ast.For]:
    """The loops that run once for each t: those that hold no other loop."""
    loops = [n for n in ast.walk(found) if isinstance(n, ast.For)]
    return [n for n in loops if not any(m is not n for m in ast.walk(n) if m in loops)]


def inside(found: ast.FunctionDef) -> list[ast.AST]:
    return [node for loop in steps_of(found) for node in ast.walk(loop)]


def products(name: str, called: str) -> tuple[int, list[ast.AST]]:
    """(number of products in a step, the products outside of all loops)."""
    found = function(name, called)
    looped = {n for loop in ast.walk(found) if isinstance(loop, ast.For) for n in ast.walk(loop)}
    every = [n for n in ast.walk(found) if is_product(n)]
    return sum(n in inside(found) for n in every), [n for n in every if n not in looped]


def calls(name: str, primitive: str) -> int:
    """How often a step of forward calls a primitive."""
    nodes = inside(function(name, "forward"))
    names = [ast.unparse(n.func) for n in nodes if isinstance(n, ast.Call)]
    return names.count(f"_{primitive}")


def is_outer(node: ast.AST) -> bool:
    """Whether a product is deltas.T @ operand, over all steps and rows."""
    left = node.left if isinstance(node, ast.BinOp) else node.args[0]
    return ast.unparse(left).endswith(".T")


# Products: before forward's loop, in its step, in backward's step, operands of parameters.
COUNTS = {
    "rnn": (1, 1, 1, 2),
    "lstm": (1, 1, 1, 2),
    "peephole_lstm": (1, 1, 1, 2),
    "gru": (1, 1, 1, 2),
    "gru_reset_before": (1, 2, 2, 3),
    "all_hoisted": (1, 0, 0, 1),
    "concatenated": (1, 2, 2, 3),
    "two_inputs": (2, 1, 1, 3),
    "no_lag_at_all": (1, 0, 0, 1),
}


@pytest.mark.parametrize(("name", "counts"), COUNTS.items())
def test_products_are_hoisted_out_of_the_loops_and_joined(name, counts):
    hoisted, step, back, operands = counts
    in_step, before = products(name, "forward")
    assert (in_step, len(before)) == (step, hoisted)
    in_back, after = products(name, "backward")
    assert in_back == back
    assert sum(map(is_outer, after)) == operands


@pytest.mark.parametrize(("name", "counts"), COUNTS.items())
def test_after_the_loop_there_is_one_more_product_for_each_input_and_one_for_all_sums(name, counts):
    after = products(name, "backward")[1]
    others = [n for n in after if not is_outer(n)]
    sums = [n for n in others if "np.ones" in ast.unparse(n)]
    assert len(sums) <= 1
    assert len(others) - len(sums) == len(derived_for(name).cell.inputs)


@pytest.mark.parametrize("name", ["lstm", "gru", "gru_reset_before", "concatenated"])
def test_all_sigmoid_gates_are_one_call(name):
    assert calls(name, "sigmoid") == 1


def test_a_gate_that_reads_the_new_state_is_a_call_of_its_own():
    assert calls("peephole_lstm", "sigmoid") == 2


def test_tanh_is_called_for_the_candidate_and_for_the_cell_state():
    assert calls("lstm", "tanh") == 2
    assert calls("gru", "tanh") == 1


def test_where_gates_read_x_alone_the_step_has_no_function_and_no_product():
    assert calls("all_hoisted", "sigmoid") == calls("all_hoisted", "tanh") == 0
    assert products("all_hoisted", "forward")[0] == 0


@pytest.mark.parametrize("name", [n for n in ALL if is_fused(derived_for(n))])
def test_a_step_makes_no_new_array_unless_rows_have_ended(name):
    for called in ("forward", "backward"):
        for loop in steps_of(function(name, called)):
            for line in loop.body:
                if isinstance(line, ast.If):
                    assert ast.unparse(line.test) == "rows is not None"
                else:
                    text = ast.unparse(line)
                    assert isinstance(line, ast.Expr)
                    assert "out=" in text or text.startswith(("np.copyto(", "_")), text
