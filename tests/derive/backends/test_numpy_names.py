"""No name that an author may choose means anything else to the emitted source."""

import ast
import symtable
from collections.abc import Iterator

import pytest
from emitted import SIZES, deviations, executed, kernel_of, results
from kernel_cases import ZOO, derived_for, made

from derive.backends.numpy import numpy_source
from derive.errors import CellError
from derive.gradients import gradients
from derive.language import parse
from derive.language.names import EMITTED, check_name
from verify.strategies import make_example

FEW = (*ZOO, "concatenated", "taken_names", "softplus_of_parameters", "state_of_another_size")
SOURCE = {name: numpy_source(derived_for(name)) for name in ("lstm", "rnn", "gru_reset_before")}


def is_free(name: str) -> bool:
    """Whether an author may choose a name."""
    try:
        check_name(name)
    except CellError:
        return False
    return True


def invented(name: str) -> list[str]:
    """Names in the emitted source, and keys of the tape, that the author of the cell lacks."""
    tree = ast.parse(SOURCE[name])
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    names |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    kernel, derived, example = made(name)
    case = example()
    names |= set(kernel.forward(case.params, case.x)[2])
    cell = derived.cell
    own = {v.name for v in (*cell.inputs, *cell.states, *cell.parameters)}
    own |= {e.name for e in cell.equations} | {str(d) for d in cell.dimensions}
    return sorted(n for n in names - own if is_free(n))


RNN = "input {x}[m]\nstate {h}[n]\n{h} = tanh({W} @ {x} + {U} @ {h}[t-1] + {b})\n"
LSTM = """input x[m]
state h[n], C[n]
{f} = sigmoid({W_f} @ x + {U_f} @ h[t-1] + {b_f})
{i} = sigmoid({W_i} @ x + {U_i} @ h[t-1] + {b_i})
{o} = sigmoid({W_o} @ x + {U_o} @ h[t-1] + {b_o})
{g} = tanh({W_g} @ x + {U_g} @ h[t-1] + {b_g})
C = {f} * C[t-1] + {i} * {g}
h = {o} * tanh(C)
"""
GATES = ("f", "i", "o", "g")
WEIGHTS = tuple(f"{kind}_{gate}" for gate in GATES for kind in "WUb")


def check(text: str) -> None:
    """The cell's kernel is right."""
    derived = gradients(parse(text, "renamed"))
    kernel = kernel_of(derived)
    case = make_example(derived.cell, steps=3, batch=2, sizes=SIZES, seed=5, with_lengths=True)
    assert deviations(results(kernel, case), case, derived) == []


def renamed(roles: tuple[str, ...], names: list[str]) -> Iterator[dict[str, str]]:
    """Each name in one of the roles, as many at once as there are roles."""
    for start in range(0, len(names), len(roles)):
        chosen = names[start : start + len(roles)]
        yield {r: r for r in (*GATES, *WEIGHTS)} | dict(zip(roles, chosen, strict=False))


@pytest.mark.parametrize("roles", [GATES, WEIGHTS])
def test_gates_and_parameters_may_have_any_name_that_the_lstms_source_invents(roles):
    names = invented("lstm")
    assert len(names) > 20
    for chosen in renamed(roles, names):
        check(LSTM.format(**chosen))


ROLES = ("x", "h", "W", "U", "b")


@pytest.mark.parametrize("name", invented("rnn"))
@pytest.mark.parametrize("role", ROLES)
def test_everything_in_a_cell_may_have_any_name_that_its_source_invents(role, name):
    check(RNN.format(**{r: r for r in ROLES} | {role: name}))


def globals_of(source: str) -> set[str]:
    """Names that functions of a module read from outside of them."""
    found: set[str] = set()
    waiting = symtable.symtable(source, "kernel", "exec").get_children()
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        found |= {s.get_name() for s in table.get_symbols() if s.is_global()}
    return found


@pytest.mark.parametrize("name", FEW)
def test_what_the_functions_read_from_outside_no_author_may_be_called(name):
    read = globals_of(numpy_source(derived_for(name)))
    assert {"np", "_padding"} <= read
    assert not {n for n in read if is_free(n)}


@pytest.mark.parametrize("name", FEW)
def test_arguments_and_public_names_of_the_module_are_kept_from_authors(name):
    source = numpy_source(derived_for(name))
    module = executed(source)
    tree = ast.parse(source)
    public = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    # Of these the body has authors' names; the others are the same for every cell.
    own_bodies = ("forward", "backward")
    assert {*own_bodies, "self_check", "truncated"} == {*module.__all__}
    arguments = {a.arg for f in own_bodies for a in ast.walk(public[f].args) if is_argument(a)}
    own = {v.name for v in derived_for(name).cell.inputs}
    assert {*own_bodies, "params", "tape", "dy"} <= EMITTED
    assert not {n for n in arguments - own - {"x"} if is_free(n)}


def is_argument(node: ast.AST) -> bool:
    return isinstance(node, ast.arg)
