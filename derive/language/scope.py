"""What is known while a program is read: its names, where they stand, what reads them."""

from dataclasses import dataclass, field
from typing import NoReturn

import sympy as sp

from derive.errors import CellError, one_line
from derive.language.reading import Declaration, Program, Statement, names_in
from derive.language.unification import Form, Size

__all__ = [
    "Meeting",
    "Scope",
    "check_left_side",
    "check_uses",
    "fail",
    "scope_of",
]


@dataclass(frozen=True)
class Meeting:
    """A scalar beside something whose shape is not known yet, and the shape of the two."""

    statement: Statement
    scalar: Form
    other: Form
    result: Form


@dataclass
class Scope:
    """What is known while the equations are read from top to bottom."""

    states: frozenset[str]
    inputs: frozenset[str]
    forms: dict[str, Form]
    sizes: frozenset[str] = frozenset()
    defined: set[str] = field(default_factory=set)
    met: list[Meeting] = field(default_factory=list)
    columns: list[tuple[Statement, Form]] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)


def scope_of(program: Program) -> Scope:
    """The declarations of a program, with its names checked against each other."""
    forms: dict[str, Form] = {}
    kinds: dict[str, set[str]] = {"input": set(), "state": set(), "parameter": set()}
    sizes = {str(s) for d in program.declarations for size in d.dimensions for s in _symbols(size)}
    for declared in program.declarations:
        if declared.name in forms:
            raise CellError(f"line {declared.line}: '{declared.name}' is declared twice")
        origin = f"declared in line {declared.line}"
        forms[declared.name] = Form([Size(d, origin) for d in declared.dimensions], origin)
        kinds[declared.kind].add(declared.name)
    for kind, example in (("input", "input x[m]"), ("state", "state h[n]")):
        if not kinds[kind]:
            raise CellError(f"line 1: no {kind} is declared; write for example `{example}`")
    _check_output(next(d for d in program.declarations if d.kind == "state"))
    lines = _lines(program, sizes)
    for size in sorted(sizes & lines.keys(), key=lambda name: (lines[name], name)):
        raise CellError(f"line {lines[size]}: '{size}' is also the name of a size; rename one")
    for state in sorted(kinds["state"]):
        if f"{state}_0" in lines:
            raise CellError(
                f"line {lines[f'{state}_0']}: '{state}_0' names the initial state of '{state}'; "
                "choose another name"
            )
    return Scope(frozenset(kinds["state"]), frozenset(kinds["input"]), forms, frozenset(sizes))


def _check_output(first: Declaration) -> None:
    if len(first.dimensions) != 1:
        sizes = ", ".join(map(str, first.dimensions))
        raise CellError(
            f"line {first.line}: the first state is the output y, a vector, found "
            f"{first.name}[{one_line(sizes, 40)}]; declare a vector before it, as in `state h[n]`"
        )


def _lines(program: Program, sizes: set[str]) -> dict[str, int]:
    """Where each name that stands for a value first stands; a size read is a number."""
    found = {declared.name: declared.line for declared in program.declarations}
    for statement in program.statements:
        for name in (statement.name, *sorted(names_in(statement.value) - sizes)):
            found.setdefault(name, statement.line)
    return found


def _symbols(size: sp.Expr) -> set[sp.Symbol]:
    return size.free_symbols


def check_left_side(scope: Scope, statement: Statement) -> None:
    """Note where a name is defined; inputs and parameters are not, and no name twice."""
    name = statement.name
    if name in scope.inputs:
        fail(statement, f"'{name}' is an input; an equation cannot define it")
    if name in scope.forms and name not in scope.states:
        fail(statement, f"'{name}' is a declared parameter; an equation cannot define it")
    if name in scope.lines:
        fail(statement, f"'{name}' is defined twice, first in line {scope.lines[name]}")
    scope.lines[name] = statement.line


def check_uses(scope: Scope, program: Program) -> None:
    """Every state has an equation, and everything else is read."""
    for declared in program.declarations:
        if declared.kind == "state" and declared.name not in scope.defined:
            raise CellError(
                f"line {declared.line}: state '{declared.name}' has no equation; "
                f"write `{declared.name} = ...`"
            )
    for declared in program.declarations:
        if declared.kind != "state" and declared.name not in scope.read:
            raise CellError(
                f"line {declared.line}: {declared.kind} '{declared.name}' is never read; remove it"
            )
    for statement in program.statements:
        if statement.name not in scope.states | scope.read:
            fail(statement, f"nothing reads '{statement.name}'; remove the equation or use it")


def fail(statement: Statement, message: str) -> NoReturn:
    """Raise the error with its place and equation."""
    raise CellError(f"line {statement.line}: {message}, in `{one_line(statement.text)}`") from None
