"""An external program in any language that reads one .npz file and writes another.

    PROGRAM in.npz out.npz

in.npz has `params/NAME`, `inputs/NAME`, `state_0/NAME` (all states, or none for zeros), `lengths`
(where rows end; not there if at T) and, where gradients are asked for, `dy` and `dstate_T/NAME`.
out.npz must have `y` and `state_T/NAME`, and where gradients are asked for `grads/NAME`, with
`grads/NAME_0` for initial states; what it lacks is not given. Arrays have the axes of the contract
and are stored without compression, in row-major order. The exit code is 0; 77 says that this is not
taken, with the reason as the last line on standard error.
"""

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from derive import zoo
from derive.cell import Cell
from derive.errors import UsageError, one_line
from verify.adapters.limits import FULL, Limits, NotGivenError
from verify.kernels import Array, Arrays

__all__ = ["NOT_TAKEN", "Program", "program"]

NOT_TAKEN = 77


@dataclass(frozen=True)
class Program:
    """The contract of `verify.kernels`; each call starts the program once."""

    command: tuple[str, ...]
    cell: Cell
    limits: Limits = FULL

    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Any, dict[str, Any], Any]:
        """Outputs and final states; the tape is what the program was given.

        Raises:
            NotGivenError: the program exits with 77.
            RuntimeError: it fails, or writes no such file.
        """
        inputs = x if isinstance(x, Mapping) else {self.cell.inputs[0].name: x}
        given = {f"params/{n}": a for n, a in params.items()}
        given |= {f"inputs/{n}": a for n, a in inputs.items()}
        given |= {f"state_0/{n}": a for n, a in (state_0 or {}).items()}
        given |= {} if lengths is None else {"lengths": np.asarray(lengths)}
        given = {n: np.array(a, order="C") for n, a in given.items()}
        found = self._run(given)
        ends = {s.name: found.get(f"state_T/{s.name}") for s in self.cell.states}
        return found.get("y"), ends, (given, found)

    @property
    def backward(self) -> Any:
        """The program again, with cotangents; None if it has no gradients."""
        return self._backward if self.limits.gradients else None

    def _backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> dict[str, Array]:
        given, values = tape
        asked = {"dy": np.zeros_like(values["y"]) if dy is None else np.array(dy, order="C")}
        for state in self.cell.states:
            cotangent = (dstate_T or {}).get(state.name)
            if cotangent is None and f"state_T/{state.name}" in values:
                cotangent = np.zeros_like(values[f"state_T/{state.name}"])
            if cotangent is not None:
                asked[f"dstate_T/{state.name}"] = np.array(cotangent, order="C")
        found = self._run(given | asked)
        grads = {n.removeprefix("grads/"): a for n, a in found.items() if n.startswith("grads/")}
        if not grads:
            raise NotImplementedError("the program gives no gradients")
        return grads

    def _run(self, arrays: Arrays) -> dict[str, Array]:
        with tempfile.TemporaryDirectory(prefix="verify-") as folder:
            source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
            np.savez(source, **arrays)  # type: ignore[arg-type]
            done = subprocess.run(
                [*self.command, str(source), str(target)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
            said = one_line(_last(done.stdout), 160)
            if done.returncode == NOT_TAKEN:
                raise NotGivenError(said or "the program says so")
            if done.returncode:
                raise RuntimeError(f"the program {_ended(done.returncode)}{said and ': '}{said}")
            try:
                with np.load(target, allow_pickle=False) as found:
                    return {name: found[name] for name in found.files}
            except Exception as error:
                text = one_line(f"{type(error).__name__}: {error}", 120)
                raise RuntimeError(f"the program's out.npz cannot be read: {text}") from None


def _last(said: bytes) -> str:
    lines = said.decode("utf-8", "backslashreplace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "")


def _ended(code: int) -> str:
    if code < 0:
        return f"died of {signal.Signals(-code).name}"
    return f"exits with {code}"


def program(command: str | tuple[str, ...], *, cell: str | Cell, limits: Limits = FULL) -> Program:
    """A kernel from a command line.

    Raises:
        UsageError: there is no such program.
    """
    words = tuple(shlex.split(command)) if isinstance(command, str) else command
    if not words:
        raise UsageError("no command: write cmd:PROGRAM, with its own arguments behind it")
    found = shutil.which(words[0]) or (words[0] if os.access(words[0], os.X_OK) else None)
    if found is None:
        raise UsageError(f"'{one_line(words[0], 80)}' is no program that can be started")
    loaded = zoo.load(cell) if isinstance(cell, str) else cell
    return Program((str(Path(found).absolute()), *words[1:]), loaded, limits)
