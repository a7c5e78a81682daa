"""`derive prove` and `derive check`: claims, and what another program can check of them."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from derive.commands.common import (
    HOLDS,
    UNDECIDED,
    WRONG,
    all_claims,
    code_of,
    print_json,
    proved,
    proved_network,
    write,
)

__all__ = ["add_check", "add_ways_to_prove", "check", "prove"]

TOO_MANY = 10_000  # steps


def add_ways_to_prove(parser: argparse.ArgumentParser) -> None:
    """The options of `derive prove`.

    `--json` alone is JSON on standard output, as everywhere; with a file, a certificate.
    """
    cell = next(a for a in parser._actions if a.dest == "cell")
    cell.nargs = "?"  # so that `prove --json lstm` is `prove lstm --json`
    parser.add_argument(
        "--json",
        nargs="?",
        const=True,
        default=False,
        metavar="FILE",
        help="JSON on standard output; with FILE, a certificate that `derive check` takes",
    )
    parser.add_argument("--coq", metavar="FILE", help="write the proofs for Coq as well")
    parser.add_argument(
        "--size",
        action="append",
        default=[],
        metavar="NAME=N",
        help="decide the gradients at given sizes instead, as n=2 (default: 2, 3, ...)",
    )
    parser.add_argument(
        "--steps", type=int, metavar="N", help="the same, unrolled over so many steps (default 2)"
    )


def add_check(commands: Any) -> None:
    """The command `derive check`."""
    summary = (
        "a certificate, decided again without SymPy, or a Coq file, by coqc; exit 1 where wrong"
    )
    parser = commands.add_parser("check", help=summary, description=summary)
    parser.add_argument("file", metavar="FILE", help="what `derive prove` wrote, .json or .v")
    parser.add_argument("--json", action="store_true", help="JSON on standard output")
    parser.set_defaults(command=check)


def prove(arguments: argparse.Namespace) -> int:
    """The theorems of a cell or of a network's cells; returns the exit code."""
    file = _certificate_file(arguments)
    from derive.errors import UsageError
    from derive.network_reports import network_claims_json, network_claims_text
    from derive.reports import claims_json, claims_text
    from derive.zoo import is_network

    if arguments.size or arguments.steps is not None:
        return _decide(arguments, file)
    if is_network(arguments.cell):
        if arguments.coq:
            raise UsageError("a Coq file is about one cell: use --coq with each of the network's")
        derived, proofs = proved_network(arguments.cell)
        if file:
            _certify(file, [(g, proofs[g.cell.name]) for g in _once(derived.cells)])
        elif arguments.json:
            print_json(network_claims_json(derived.network, proofs))
        else:
            sys.stdout.write(network_claims_text(derived.network, proofs))
        return code_of(all_claims(proofs))
    g, claims = proved(arguments.cell)
    if arguments.coq:
        _write_coq(arguments.coq, g)
    if file:
        _certify(file, [(g, claims)])
    elif arguments.json:
        print_json(claims_json(g.cell, claims))
    else:
        sys.stdout.write(claims_text(g.cell, claims))
    return code_of(claims)


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


def _decide(arguments: argparse.Namespace, file: str) -> int:
    """The gradients of one cell at given sizes."""
    from derive.concrete import claim_of, decide, sizes_of
    from derive.errors import UsageError, asked_size
    from derive.gradients import gradients
    from derive.reports import claims_json, claims_text
    from derive.zoo import load

    if file or arguments.coq:
        option = "--coq" if arguments.coq else "--json FILE"
        raise UsageError(f"{option} is about all sizes and any T: leave out --size and --steps")
    steps = 2 if arguments.steps is None else arguments.steps
    if not 0 < steps < TOO_MANY:
        raise UsageError(f"--steps must be from 1 to {TOO_MANY - 1}")
    given = dict(map(asked_size, arguments.size))
    cell = load(arguments.cell)
    decision = decide(gradients(cell), sizes_of(cell, given), steps)
    claim = claim_of(decision)
    if arguments.json:
        sizes = {str(dim): size for dim, size in decision.sizes.items()}
        facts = {"sizes": sizes, "steps": steps, "entries": decision.entries}
        print_json({**claims_json(cell, [claim]), **facts})
    else:
        sys.stdout.write(claims_text(cell, [claim]))
    return code_of([claim])


def _once(cells: Any) -> list[Any]:
    """Gradients of the cells of a network, each cell once."""
    return list({g.cell.name: g for g in cells}.values())


def _certify(file: str, claims_of: Any) -> None:
    from derive.certificates.writer import certificate

    document = certificate(claims_of)
    write(Path(file), json.dumps(document, indent=1) + "\n")
    claims = sum(len(cell["claims"]) for cell in document["cells"])
    print(f"{file}: a certificate of {claims} claims; `derive check {file}` decides them again")


def _write_coq(file: str, derived: Any) -> None:
    from derive.backends.coq import coq_source

    write(Path(file), coq_source(derived))
    print(f"{file}: proofs for Coq; `derive check {file}` has them checked", file=sys.stderr)


def check(arguments: argparse.Namespace) -> int:
    """Check a certificate or a Coq file; returns the exit code."""
    if arguments.file.endswith(".v"):
        return _check_coq(arguments)
    from derive.certificates.files import checked, findings_json, findings_text, is_open, is_wrong

    found = checked(Path(arguments.file))
    if arguments.json:
        print_json(findings_json(found))
    else:
        sys.stdout.write(findings_text(found))
    if any(map(is_wrong, found)):
        return WRONG
    return UNDECIDED if any(map(is_open, found)) else HOLDS


def _check_coq(arguments: argparse.Namespace) -> int:
    from derive.backends.coq.files import checked_json, checked_text, read_and_check

    found = read_and_check(Path(arguments.file))
    if arguments.json:
        print_json(checked_json(found))
    else:
        sys.stdout.write(checked_text(found))
    return HOLDS if found.checked.accepted else WRONG
