"""Lags of inputs and deeper lags of states, as states that carry them: one step is one lag.

x[t-2] reads the state x_lag_2, for which `x_lag_1 = x` and `x_lag_2 = x_lag_1[t-1]` are added;
h[t-2] reads h_lag_1, which is h[t-1]. Before the first step they are what their initial states say.
"""

import ast
from dataclasses import replace

from derive.errors import CellError, one_line
from derive.language.names import check_name
from derive.language.reading import Declaration, Program, Statement, names_in
from derive.language.whitelist import steps_back

__all__ = ["with_carried_lags"]


def with_carried_lags(program: Program) -> Program:
    """The program with lags of one step only, of states only.

    Raises:
        CellError: a carrying state's name is taken or too long.
    """
    work = _Work(program)
    statements = tuple(replace(s, value=work.visited(s)) for s in program.statements)
    return replace(
        program,
        declarations=(*program.declarations, *work.declarations),
        statements=(*statements, *work.statements),
    )


class _Work(ast.NodeTransformer):
    def __init__(self, program: Program) -> None:
        self.kinds = {d.name: d for d in program.declarations}
        self.taken = set(self.kinds)
        for statement in program.statements:
            self.taken |= {statement.name, *names_in(statement.value)}
        self.declarations: list[Declaration] = []
        self.statements: list[Statement] = []
        self.at: Statement

    def visited(self, statement: Statement) -> ast.expr:
        self.at = statement
        found: ast.expr = self.visit(statement.value)
        return found

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        assert isinstance(node.value, ast.Name)
        name, back = node.value.id, steps_back(node) or 0
        declared = self.kinds.get(name)
        if declared is None or declared.kind == "parameter":
            return node
        chain = back if declared.kind == "input" else back - 1
        if chain < 1:
            return node
        for place in range(1, chain + 1):
            self.carry(declared, place)
        return ast.fix_missing_locations(ast.copy_location(_lag(_carrier(name, chain)), node))

    def carry(self, of: Declaration, place: int) -> None:
        """The state that is `of` `place` steps back at the end of a step."""
        name = _carrier(of.name, place)
        if any(d.name == name for d in self.declarations):
            return
        try:
            check_name(name)
            if name in self.taken:
                raise CellError("it is the name of something else; rename that")
        except CellError as error:
            where = one_line(self.at.text)
            raise CellError(
                f"line {self.at.line}: the state '{name}' would carry the lag of '{of.name}', "
                f"but {error}, in `{where}`"
            ) from None
        before = of.name if place == 1 else _carrier(of.name, place - 1)
        text = before if place == 1 and of.kind == "input" else f"{before}[t-1]"
        value = ast.parse(text, mode="eval").body
        self.declarations.append(Declaration("state", name, of.dimensions, of.line))
        self.statements.append(Statement(name, value, f"{name} = {text}", self.at.line))


def _carrier(name: str, place: int) -> str:
    return f"{name}_lag_{place}"


def _lag(name: str) -> ast.Subscript:
    back = ast.BinOp(ast.Name("t"), ast.Sub(), ast.Constant(1))
    return ast.Subscript(ast.Name(name), back)
