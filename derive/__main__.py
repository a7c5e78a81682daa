"""The command `derive`. Heavy imports stand inside the commands, so that `--help` is quick."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["main"]

HOLDS, WRONG, USAGE, UNDECIDED, OWN_FAILURE = range(5)
FORMAT = 1  # the version in every JSON document


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
        ("prove", "theorems with their level; exit 1 where one fails", _prove, True, False),
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
            _certifies(one)
        else:
            one.add_argument("--json", action="store_true", help="JSON on standard output")
        one.set_defaults(command=command)
    check = commands.add_parser("check", help=_CHECK, description=_CHECK)
    check.add_argument("file", metavar="FILE", help="what `derive prove` wrote, .json or .v")
    check.add_argument("--json", action="store_true", help="JSON on standard output")
    check.set_defaults(command=_check)
    return parser


_CHECK = "a certificate, decided again without SymPy, or a Coq file, by coqc; exit 1 where wrong"


def _certifies(prove: argparse.ArgumentParser) -> None:
    """`--json` alone is JSON on standard output, as everywhere; with a file, a certificate."""
    cell = next(a for a in prove._actions if a.dest == "cell")
    cell.nargs = "?"  # so that `prove --json lstm` is `prove lstm --json`
    prove.add_argument(
        "--json",
        nargs="?",
        const=True,
        default=False,
        metavar="FILE",
        help="JSON on standard output; with FILE, a certificate that `derive check` takes",
    )
    prove.add_argument("--coq", metavar="FILE", help="write the proofs for Coq as well")


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps({"version": FORMAT, **document}, indent=2))


def _list(arguments: argparse.Namespace) -> int:
    from derive.network_reports import network_list_text, network_row
    from derive.reports import cell_row, list_text
    from derive.zoo import load, load_network, names, network_names

    rows = [cell_row(load(name)) for name in names()]
    networks = [network_row(load_network(name)) for name in network_names()]
    if arguments.json:
        _print_json({"cells": rows, "networks": networks})
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
            _print_json(network_json(network))
        else:
            sys.stdout.write(network_show_text(backpropagate(network)))
        return HOLDS
    cell = load(arguments.cell)
    if arguments.json:
        _print_json(cell_json(cell))
    else:
        sys.stdout.write(show_text(backpropagate(cell)))
    return HOLDS


def _prove(arguments: argparse.Namespace) -> int:
    file = _certificate_file(arguments)
    from derive.errors import UsageError
    from derive.network_reports import network_claims_json, network_claims_text
    from derive.reports import claims_json, claims_text
    from derive.zoo import is_network

    if is_network(arguments.cell):
        if arguments.coq:
            raise UsageError("a Coq file is about one cell: use --coq with each of the network's")
        derived, proofs = _proved_network(arguments.cell)
        if file:
            _certify(file, [(g, proofs[g.cell.name]) for g in _once(derived.cells)])
        elif arguments.json:
            _print_json(network_claims_json(derived.network, proofs))
        else:
            sys.stdout.write(network_claims_text(derived.network, proofs))
        return _code(_all_claims(proofs))
    g, claims = _proved(arguments.cell)
    if arguments.coq:
        _write_coq(arguments.coq, g)
    if file:
        _certify(file, [(g, claims)])
    elif arguments.json:
        _print_json(claims_json(g.cell, claims))
    else:
        sys.stdout.write(claims_text(g.cell, claims))
    return _code(claims)


def _certificate_file(arguments: argparse.Namespace) -> str:
    """The file of `--json FILE`, or ''."""
    from derive.errors import UsageError

    if arguments.cell is None:
        if not isinstance(arguments.json, str):
            raise UsageError(
                "the following arguments are required: CELL (try `derive prove --help`)"
            )
        arguments.cell, arguments.json = arguments.json, True
    return arguments.json if isinstance(arguments.json, str) else ""


def _once(cells: Any) -> list[Any]:
    """Gradients of the cells of a network, each cell once."""
    return list({g.cell.name: g for g in cells}.values())


def _certify(file: str, proved: Any) -> None:
    from derive.certificates.writer import certificate

    document = certificate(proved)
    _write(Path(file), json.dumps(document, indent=1) + "\n")
    claims = sum(len(cell["claims"]) for cell in document["cells"])
    print(f"{file}: a certificate of {claims} claims; `derive check {file}` decides them again")


def _write_coq(file: str, derived: Any) -> None:
    from derive.backends.coq import coq_source

    _write(Path(file), coq_source(derived))
    print(f"{file}: proofs for Coq; `derive check {file}` has them checked", file=sys.stderr)


def _check_coq(arguments: argparse.Namespace) -> int:
    from derive.backends.coq.files import checked_json, checked_text, read_and_check

    found = read_and_check(Path(arguments.file))
    if arguments.json:
        _print_json(checked_json(found))
    else:
        sys.stdout.write(checked_text(found))
    return HOLDS if found.checked.accepted else WRONG


def _check(arguments: argparse.Namespace) -> int:
    if arguments.file.endswith(".v"):
        return _check_coq(arguments)
    from derive.certificates.files import checked, findings_json, findings_text, is_open, is_wrong

    found = checked(Path(arguments.file))
    if arguments.json:
        _print_json(findings_json(found))
    else:
        sys.stdout.write(findings_text(found))
    if any(map(is_wrong, found)):
        return WRONG
    return UNDECIDED if any(map(is_open, found)) else HOLDS


def _code(claims: Any) -> int:
    if any(c.fails for c in claims):
        return WRONG
    return UNDECIDED if any(c.is_open for c in claims) else HOLDS


def _proved(cell: str) -> Any:
    from derive.gradients import gradients
    from derive.proofs import prove
    from derive.zoo import load

    g = gradients(load(cell))
    return g, prove(g)


def _proved_network(network: str) -> Any:
    """(gradients, claims by the name of the cell)."""
    from derive.backpropagation import backpropagate
    from derive.proofs import prove
    from derive.zoo import load_network

    derived = backpropagate(load_network(network))
    return derived, {g.cell.name: prove(g) for g in derived.cells}


def _all_claims(proofs: Any) -> list[Any]:
    return [claim for claims in proofs.values() for claim in claims]


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
    g, claims = _proved(arguments.cell)
    return _emit(arguments, g.cell.name, latex(g, claims))


def _numpy(arguments: argparse.Namespace) -> int:
    from derive.backends.numpy import numpy_source
    from derive.zoo import is_network

    if is_network(arguments.cell):
        derived, proofs = _proved_network(arguments.cell)
        return _emit(arguments, derived.network.name, numpy_source(derived, proofs), "network")
    g, claims = _proved(arguments.cell)
    return _emit(arguments, g.cell.name, numpy_source(g, claims))


def _emit(arguments: argparse.Namespace, name: str, text: str, kind: str = "cell") -> int:
    """Write to the file, or to standard output; with --json, say what was written."""
    where = arguments.output
    if where not in (None, "-"):
        _write(Path(where), text)
    elif not arguments.json:
        sys.stdout.write(text)
    if arguments.json:
        place = {"text": text} if where in (None, "-") else {"file": where}
        _print_json({kind: name, **place})
    return HOLDS


def _write(path: Path, text: str) -> None:
    from derive.errors import UsageError

    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"cannot write '{path}': {error.strerror}") from None


def _all(arguments: argparse.Namespace) -> int:
    from derive.errors import UsageError
    from derive.network_tour import network_tour
    from derive.tour import tour
    from derive.zoo import is_network

    if arguments.output == "-":
        raise UsageError("'all' writes several files: name a folder, not '-'")
    if is_network(arguments.cell):
        derived, proofs = _proved_network(arguments.cell)
        kind, name, claims = "network", derived.network.name, _all_claims(proofs)
        folder = Path(arguments.output or f"out/{name}")
        result = network_tour(derived, proofs, folder)
    else:
        g, claims = _proved(arguments.cell)
        kind, name = "cell", g.cell.name
        folder = Path(arguments.output or f"out/{name}")
        result = tour(g, claims, folder, named=arguments.cell)
    if arguments.json:
        _print_json({kind: name, **result.facts})
    else:
        sys.stdout.write(result.text)
    return max(_code(claims), HOLDS if result.checked else WRONG)


if __name__ == "__main__":
    raise SystemExit(main())
