"""A child process that answers requests, with an end that is always told."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from verify.isolation.wire import Closed, Late, receive, send_bytes

__all__ = ["Child", "EndedError"]

ROOT = Path(__file__).parents[2]

# What a child is started with: the module search path of its parent, then the server.
START = (
    "import sys; sys.path[:] = {path!r}; sys.argv = ['verify']\n"
    "from verify.isolation.server import serve; serve({requests}, {answers})"
)

# How long a child that is asked to say where it is has for that.
LAST_WORDS = 1.0

# Layers are small here; threads that wait for each other are slower by far on a busy machine.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_FRAME = re.compile(r'File "([^"]+)", line (\d+) in')


class EndedError(Exception):
    """The child is gone; `finding` says how, `late` whether it took too long and was ended."""

    def __init__(self, said: str, late: bool = False) -> None:
        super().__init__(said)
        self.finding = said
        self.late = late


class Child:
    """A process that runs `verify.isolation.server`; `seconds` is what the last answer took."""

    def __init__(self) -> None:
        self.seconds = 0.0
        there, self._requests = os.pipe()
        self._answers, here = os.pipe()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        path = [str(ROOT), *(p or str(Path.cwd()) for p in sys.path)]
        code = START.format(path=path, requests=there, answers=here)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                env={**dict.fromkeys(THREADS, "1"), **os.environ},
                pass_fds=(there, here),
                start_new_session=True,  # it is ended with all that it started
            )
        finally:
            os.close(there)
            os.close(here)

    def ask(self, request: bytes, seconds: float) -> Any:
        """The answer to a request.

        Raises:
            EndedError: there is none: the process ended, or was ended after so many seconds.
        """
        start = time.perf_counter()
        try:
            send_bytes(self._requests, request)
            answer = receive(self._answers, seconds)
        except Late:
            place = self._where()
            self.end()
            raise EndedError(f"did not return within {seconds:g} s{place}", late=True) from None
        except Closed:
            raise EndedError(self._ended()) from None
        self.seconds = time.perf_counter() - start
        return answer

    def end(self) -> None:
        """End the process and everything that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for fd in (self._requests, self._answers):
            with suppress(OSError):
                os.close(fd)
        self._requests = self._answers = -1
        self._said.close()

    def _where(self) -> str:
        """Where a process hangs: it says so when it is aborted."""
        self._process.send_signal(signal.SIGABRT)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(LAST_WORDS)
        return self._place()

    def _ended(self) -> str:
        """How the process ended by itself."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(LAST_WORDS)
        code, place = self._process.poll(), self._place()
        self.end()
        if code is None:
            return f"closed its descriptors{place}"
        if code < 0:
            return f"died of {signal.Signals(-code).name}{place}"
        return f"ended the process with exit code {code}{place}"

    def _place(self) -> str:
        """The innermost line of the implementation in what the crash handler wrote."""
        self._said.seek(0)
        text = self._said.read(1 << 20).decode("utf-8", "backslashreplace")
        _, _, current = text.rpartition("Current thread")
        frames = _FRAME.findall(current)
        own = [f for f in frames if not f[0].startswith((str(ROOT / "verify"), sys.prefix, "<"))]
        files = [f for f in own if "site-packages" not in f[0] and "/lib/python" not in f[0]]
        if not files:
            return ""
        return f" ({Path(files[0][0]).name}, line {files[0][1]})"
