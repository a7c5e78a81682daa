"""The command `verify`: judge an implementation of a cell."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import NoReturn

__all__ = ["main"]

USAGE, UNDECIDED, OWN_FAILURE = 2, 3, 4
EXIT_CODES = {"right": 0, "wrong": 1, "undecided": UNDECIDED}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"verify: {' '.join(message.split())} (try `{self.prog} --help`)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code.

    0 right, 1 wrong, 2 usage or bad input, 3 undecided, 4 our own failure.
    """
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        return int(arguments.command(arguments))
    except Exception as error:
        known = hasattr(error, "exit_code")
        said = str(error) if known else f"our own failure: {type(error).__name__}: {error}"
        print(f"verify: {' '.join(said.split())}", file=sys.stderr)
        return int(getattr(error, "exit_code", OWN_FAILURE))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="verify",
        description="Is this recurrent layer right? Judge an implementation of a cell.",
        epilog="exit codes: 0 right, 1 wrong, 2 usage or bad input, 3 undecided, 4 our own failure",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="judge an implementation by every property")
    run.add_argument("cell", metavar="CELL", help="a cell of the zoo, or a .cell file")
    run.add_argument(
        "implementation",
        metavar="IMPLEMENTATION",
        help="path.py, path.py:NAME or module:NAME with forward and backward",
    )
    run.add_argument("--json", action="store_true", help="print the report as JSON")
    run.add_argument("--examples", type=int, metavar="N", help="how many examples to try")
    run.add_argument("--seed", type=int, default=0, metavar="N", help="repeats a run (default 0)")
    run.add_argument(
        "--profile", default="default", metavar="NAME", help="quick, default or thorough"
    )
    run.set_defaults(command=_run)
    vectors = commands.add_parser("vectors", help="write examples with what must come out")
    vectors.add_argument("cell", metavar="CELL", help="a cell of the zoo, or a .cell file")
    vectors.add_argument("-o", "--output", metavar="FILE.npz", help="where to, for NumPy")
    vectors.add_argument("--json", metavar="FILE", help="where to, for any language")
    vectors.add_argument("--examples", type=int, metavar="N", help="how many (default: all kinds)")
    vectors.add_argument(
        "--seed", type=int, default=0, metavar="N", help="other values (default 0)"
    )
    vectors.set_defaults(command=_vectors)
    nodes = commands.add_parser("node-tests", help="write tests for ONNX's LSTM, GRU and RNN")
    nodes.add_argument("-o", "--output", metavar="FOLDER", required=True, help="where to")
    nodes.add_argument("--seed", type=int, default=0, metavar="N", help="default 0")
    nodes.set_defaults(command=_node_tests)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from derive.zoo import load
    from verify.loading import load_implementation
    from verify.report import to_json, to_text
    from verify.runner import run

    with redirect_stdout(sys.stderr):  # an implementation may print; the report is all we print
        cell = load(arguments.cell)
        report = run(
            cell,
            load_implementation(arguments.implementation),
            examples=arguments.examples,
            seed=arguments.seed,
            profile=arguments.profile,
            implementation=arguments.implementation,
            progress=_progress if sys.stderr.isatty() else None,
        )
    sys.stdout.write(to_json(report) if arguments.json else to_text(report))
    return EXIT_CODES[report.verdict]


def _vectors(arguments: argparse.Namespace) -> int:
    from verify.vectors.command import write_vectors

    print(
        write_vectors(
            arguments.cell,
            npz=arguments.output,
            json=arguments.json,
            seed=arguments.seed,
            examples=arguments.examples,
        )
    )
    return 0


def _node_tests(arguments: argparse.Namespace) -> int:
    from verify.vectors.command import write_node_tests

    print(write_node_tests(arguments.output, seed=arguments.seed))
    return 0


def _progress(done: int, total: int) -> None:
    end = "\r" if done < total else "\r\033[K"
    print(f"{done}/{total} examples", end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
