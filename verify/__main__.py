"""The command `verify`: judge an implementation of a cell."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout
from typing import Any, NoReturn

__all__ = ["main"]

USAGE, UNDECIDED, OWN_FAILURE = 2, 3, 4
EXIT_CODES = {"right": 0, "enclosed": 0, "wrong": 1, "undecided": UNDECIDED}


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
        help="path.py, path.py:NAME or module:NAME with forward and backward, a torch module or a "
        "Keras layer; model.onnx; 'cmd:PROGRAM ARGUMENTS'",
    )
    _add_ways(run)
    run.add_argument("--resume", metavar="FILE", help="keep what is known there, and go on from it")
    run.add_argument("--json", action="store_true", help="print the report as JSON")
    run.add_argument("--junit", metavar="FILE", help="write it for a build server as well")
    run.add_argument("--html", metavar="FILE", help="write a page with figures as well")
    run.add_argument(
        "--reproduce", metavar="FOLDER", help="write a script for each finding, of NumPy alone"
    )
    run.add_argument("--examples", type=int, metavar="N", help="how many examples to try")
    run.add_argument("--seed", type=int, default=0, metavar="N", help="repeats a run (default 0)")
    run.add_argument(
        "--profile", default="default", metavar="NAME", help="quick, default or thorough"
    )
    run.set_defaults(command=_run)
    enclose = commands.add_parser("enclose", help="certify how far a run is off")
    enclose.add_argument("cell", metavar="CELL", help="a cell of the zoo, or a .cell file")
    enclose.add_argument("implementation", metavar="IMPLEMENTATION", help="as for run")
    _add_ways(enclose)
    enclose.add_argument("--json", action="store_true", help="print the report as JSON")
    counts = (("examples", 2, "of each precision"), ("seed", 0, "other values"))
    for name, default, what in (*counts, ("steps", 6, "T"), ("batch", 2, "B")):
        said = f"{what} (default {default})"
        enclose.add_argument(f"--{name}", type=int, default=default, metavar="N", help=said)
    enclose.add_argument(
        "--size", action="append", default=[], metavar="NAME=N", help="as n=16 (default: 3, 4, ...)"
    )
    enclose.set_defaults(command=_enclose)
    mutants = commands.add_parser("mutants", help="how many known bugs are seen, and named")
    mutants.add_argument(
        "cell", metavar="CELL", nargs="?", default="lstm", help="a cell (default lstm)"
    )
    mutants.add_argument("--json", action="store_true", help="print the table as JSON")
    mutants.add_argument(
        "--each", type=int, default=4, metavar="N", help="at most so many of a row (default 4)"
    )
    mutants.add_argument("--all", action="store_true", help="every variant of every row")
    mutants.set_defaults(command=_mutants)
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
    convert = commands.add_parser("convert", help="move a layer's parameters between libraries")
    convert.add_argument("file", metavar="IN.npz", help="the arrays of one layer, by their names")
    convert.add_argument("--from", dest="source", metavar="CONVENTION", required=True)
    convert.add_argument(
        "--to", dest="target", metavar="CONVENTION", required=True, help="as torch.lstm; or a cell"
    )
    convert.add_argument("-o", "--output", metavar="OUT.npz", required=True, help="where to")
    convert.add_argument(
        "--size",
        action="append",
        default=[],
        metavar="NAME=N",
        help="a size that the shapes do not tell, as n=4 of a flat array",
    )
    convert.add_argument("--direction", type=int, metavar="N", help="0 or 1 (default: all)")
    convert.add_argument(
        "--prefix", default="", metavar="TEXT", help="of the layer's arrays in a model, as 'rnn.'"
    )
    convert.add_argument("--json", action="store_true", help="print what was written as JSON")
    convert.set_defaults(command=_convert)
    return parser


def _add_ways(run: argparse.ArgumentParser) -> None:
    """How an implementation is read, called and judged."""
    run.add_argument(
        "--convention", metavar="NAME", help="how a library's layer has its parameters"
    )
    run.add_argument(
        "--isolate",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="in a process of its own (default), or in this one, for a debugger",
    )
    run.add_argument(
        "--timeout", type=float, default=10.0, metavar="SECONDS", help="of a call (default 10)"
    )
    run.add_argument(
        "--memory", type=int, default=4096, metavar="MIB", help="of a call (default 4096)"
    )
    run.add_argument(
        "--precision",
        default="",
        metavar="NAME",
        help="what it computes in, if lower than its inputs: float32, bfloat16, tf32 and others",
    )


def _run(arguments: argparse.Namespace) -> int:
    from derive.zoo import load
    from verify.isolation import Journal, run_key
    from verify.report import to_json, to_text
    from verify.reports.files import write_files
    from verify.runner import run

    text = arguments.implementation
    # an implementation may print; the report is all we print
    with ExitStack() as opened, redirect_stdout(sys.stderr):
        cell = load(arguments.cell)
        kernel = _implementation(arguments, opened)
        journal = None
        if arguments.resume:
            names = ("convention", "examples", "seed", "profile", "precision")
            of = {n: vars(arguments)[n] for n in names}
            key = run_key(str(cell), text, **of)
            journal = opened.enter_context(Journal.open(arguments.resume, key))
        report = run(
            cell,
            kernel,
            journal=journal,
            named=arguments.cell,
            options=_options(arguments),
            precision=arguments.precision,
            examples=arguments.examples,
            seed=arguments.seed,
            profile=arguments.profile,
            implementation=text,
            progress=_progress if sys.stderr.isatty() else None,
            noticed=_noticed if sys.stderr.isatty() else None,
        )
        write_files(
            cell,
            kernel,
            report,
            junit=arguments.junit,
            html=arguments.html,
            scripts=arguments.reproduce,
        )
    sys.stdout.write(to_json(report) if arguments.json else to_text(report))
    return EXIT_CODES[report.verdict]


def _implementation(arguments: argparse.Namespace, opened: ExitStack) -> Any:
    """What the command judges, in a process of its own if that is asked for."""
    from verify.isolation import isolated
    from verify.loading import load_implementation

    text, cell, convention = arguments.implementation, arguments.cell, arguments.convention
    if not arguments.isolate:
        return load_implementation(text, cell=cell, convention=convention)
    seconds, memory = arguments.timeout, arguments.memory
    child = isolated(text, cell=cell, convention=convention, seconds=seconds, memory=memory)
    return opened.enter_context(child)


def _enclose(arguments: argparse.Namespace) -> int:
    from derive.zoo import load
    from verify.enclosing import to_json, to_text
    from verify.enclosing.command import enclosed

    with ExitStack() as opened, redirect_stdout(sys.stderr):
        names = ("implementation", "precision", "examples", "seed", "steps", "batch")
        cell = load(arguments.cell)
        report = enclosed(
            cell,
            _implementation(arguments, opened),
            sizes=arguments.size,
            **{name: vars(arguments)[name] for name in names},
        )
    sys.stdout.write(to_json(report) if arguments.json else to_text(report))
    return EXIT_CODES[report.verdict]


def _options(arguments: argparse.Namespace) -> str:
    """What the command that repeats a run has beside its examples."""
    given = {n: vars(arguments)[n] for n in ("convention", "precision")}
    return "".join(f" --{name} {value}" for name, value in given.items() if value)


def _mutants(arguments: argparse.Namespace) -> int:
    from derive.zoo import load
    from verify.mutants import judge, to_json, to_text

    table = judge(
        load(arguments.cell),
        each=None if arguments.all else arguments.each,
        progress=_mutants_done if sys.stderr.isatty() else None,
    )
    sys.stdout.write(to_json(table) if arguments.json else to_text(table))
    return 0 if table.all_killed else 1


def _mutants_done(done: int, total: int) -> None:
    end = "\r" if done < total else "\r\033[K"
    print(f"{done}/{total} mutants", end=end, file=sys.stderr, flush=True)


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


def _convert(arguments: argparse.Namespace) -> int:
    from verify.conventions.command import convert_file

    said = convert_file(
        arguments.file,
        arguments.source,
        arguments.target,
        arguments.output,
        sizes=arguments.size,
        direction=arguments.direction,
        prefix=arguments.prefix,
        as_json=arguments.json,
    )
    sys.stdout.write(said)
    return 0


def _progress(done: int, total: int) -> None:
    end = "\r" if done < total else "\r\033[K"
    print(f"{done}/{total} examples", end=end, file=sys.stderr, flush=True)


def _noticed(name: str) -> None:
    print(f"\033[K{name}: failed", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
