"""The command `derive`. Heavy imports stand inside the commands, so that `--help` is quick."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from derive.commands import proving
from derive.commands.common import (
    HOLDS,
    OWN_FAILURE,
    USAGE,
    WRONG,
    all_claims,
    code_of,
    print_json,
    proved,
    proved_network,
    write,
)

__all__ = ["main"]


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"derive: {' '.join(message.split())} (try `{self.prog} --help`)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code.

    0 holds, 1 refuted, 2 usage or bad input, 3 not decided, 4 our own failure.
    """
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        code = int(arguments.command(arguments))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return HOLDS
    except UnicodeEncodeError as error:
        advice = "set PYTHONIOENCODING=utf-8, or use -o"
        print(f"derive: standard output takes {error.encoding} alone: {advice}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        known = hasattr(error, "exit_code")
        said = str(error) if known else f"our own failure: {type(error).__name__}: {error}"
        print(f"derive: {' '.join(said.split())}", file=sys.stderr)
        return int(getattr(error, "exit_code", OWN_FAILURE))
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="derive",
        description="Recurrent cells from their equations: gradients, proofs, LaTeX, kernels.",
        epilog="CELL is a name that `derive list` shows, or a file. Exit codes: 0 holds, "
        "1 refuted, 2 usage or bad input, 3 not decided, 4 our own failure.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    rows = (
        (
            "list",
            "the cells, with states, gates and path Jacobian; the networks",
            _list,
            False,
            False,
        ),
        ("show", "equations, shapes and gradients in the terminal", _show, True, False),
        ("prove", "theorems with their level; exit 1 where one fails", proving.prove, True, False),
        ("latex", "a complete article", _latex, True, True),
        ("numpy", "a stand-alone NumPy kernel that checks itself", _numpy, True, True),
        ("all", "theorems, article and checked kernel into a folder", _all, True, True),
    )
    for name, summary, command, takes_cell, writes in rows:
        one = commands.add_parser(name, help=summary, description=summary)
        if takes_cell:
            one.add_argument("cell", metavar="CELL", help="a name, or a .cell or .network file")
        if writes:
            help_text = "the folder (out/CELL)" if name == "all" else "where to write (- is stdout)"
            one.add_argument("-o", "--output", metavar="PATH", help=help_text)
        if name == "prove":
            proving.add_ways_to_prove(one)
        else:
            one.add_argument("--json", action="store_true", help="JSON on standard output")
        one.set_defaults(command=command)
    proving.add_check(commands)
    return parser


def _list(arguments: argparse.Namespace) -> int:
    from derive.network_reports import network_list_text, network_row
    from derive.reports import cell_row, list_text
    from derive.zoo import load, load_network, names, network_names

    rows = [cell_row(load(name)) for name in names()]
    networks = [network_row(load_network(name)) for name in network_names()]
    if arguments.json:
        print_json({"cells": rows, "networks": networks})
    else:
        sys.stdout.write(list_text(rows) + network_list_text(networks))
    return HOLDS


def _show(arguments: argparse.Namespace) -> int:
    from derive.backpropagation import backpropagate
    from derive.network_reports import network_json, network_show_text
    from derive.reports import cell_json, show_text
    from derive.zoo import is_network, load, load_network

    if is_network(arguments.cell):
        network = load_network(arguments.cell)
        if arguments.json:
            print_json(network_json(network))
        else:
            sys.stdout.write(network_show_text(backpropagate(network)))
        return HOLDS
    cell = load(arguments.cell)
    if arguments.json:
        print_json(cell_json(cell))
    else:
        sys.stdout.write(show_text(backpropagate(cell)))
    return HOLDS


def _latex(arguments: argparse.Namespace) -> int:
    from derive.errors import UsageError
    from derive.latex import latex
    from derive.zoo import is_network, load_network

    if is_network(arguments.cell):
        network = load_network(arguments.cell)
        called = dict.fromkeys(layer.called for layer in network.layers)
        raise UsageError(
            f"an article is about one cell, and '{network.name}' is a network: "
            f"use `derive latex` for each of {', '.join(called)}"
        )
    g, claims = proved(arguments.cell)
    return _emit(arguments, g.cell.name, latex(g, claims))


def _numpy(arguments: argparse.Namespace) -> int:
    from derive.backends.numpy import numpy_source
    from derive.zoo import is_network

    if is_network(arguments.cell):
        derived, proofs = proved_network(arguments.cell)
        return _emit(arguments, derived.network.name, numpy_source(derived, proofs), "network")
    g, claims = proved(arguments.cell)
    return _emit(arguments, g.cell.name, numpy_source(g, claims))


def _emit(arguments: argparse.Namespace, name: str, text: str, kind: str = "cell") -> int:
    """Write to the file, or to standard output; with --json, say what was written."""
    where = arguments.output
    if where not in (None, "-"):
        write(Path(where), text)
    elif not arguments.json:
        sys.stdout.write(text)
    if arguments.json:
        place = {"text": text} if where in (None, "-") else {"file": where}
        print_json({kind: name, **place})
    return HOLDS


def _all(arguments: argparse.Namespace) -> int:
    from derive.errors import UsageError
    from derive.network_tour import network_tour
    from derive.tour import tour
    from derive.zoo import is_network

    if arguments.output == "-":
        raise UsageError("'all' writes several files: name a folder, not '-'")
    if is_network(arguments.cell):
        derived, proofs = proved_network(arguments.cell)
        kind, name, claims = "network", derived.network.name, all_claims(proofs)
        folder = Path(arguments.output or f"out/{name}")
        result = network_tour(derived, proofs, folder)
    else:
        g, claims = proved(arguments.cell)
        kind, name = "cell", g.cell.name
        folder = Path(arguments.output or f"out/{name}")
        result = tour(g, claims, folder, named=arguments.cell)
    if arguments.json:
        print_json({kind: name, **result.facts})
    else:
        sys.stdout.write(result.text)
    return max(code_of(claims), HOLDS if result.checked else WRONG)


if __name__ == "__main__":
    raise SystemExit(main())
