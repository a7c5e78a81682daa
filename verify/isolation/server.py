"""The child process: loads an implementation and answers calls until its parent is gone.

Nothing here is imported by the parent. Standard output and error are a file that the parent opened:
what is printed, also by C, and what `faulthandler` says of a crash, is read there.
"""

import ctypes
import faulthandler
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from derive.errors import BpttError, one_line
from verify.isolation.conduct import LOADING, Observation, Watch
from verify.isolation.wire import Closed, pack, plain, receive, send, unpack

__all__ = ["serve"]

OWN = str(Path(__file__).parents[1])


def serve(requests: int, answers: int) -> None:
    """Answer what comes in on one descriptor on the other."""
    _die_with_parent()
    faulthandler.enable(sys.stderr)
    server = _Server()
    try:
        while True:
            message = receive(requests)
            send(answers, getattr(server, message[0])(*message[1:]))
    except Closed:
        os._exit(0)  # whatever threads the implementation left


class _Server:
    """One implementation and the tapes that the parent still has."""

    def __init__(self) -> None:
        self.kernel: Any = None
        self.watch = Watch()
        self.tapes: dict[int, tuple[Any, list[Any]]] = {}
        self.latest: list[Any] = []
        self.count = 0

    def load(self, source: Any, memory: int) -> Any:
        """Load it; the memory limit is what is added from here on."""
        from verify.adapters.limits import FULL
        from verify.loading import load_implementation

        value, raised, found = self.watch.call(
            LOADING, lambda: load_implementation(source.text, **source.options()), _printed
        )
        if raised is not None:
            code = raised.exit_code if isinstance(raised, BpttError) else 2
            return "refused", one_line(str(raised) or type(raised).__name__, 400), code
        self.kernel = value
        _limit_memory(memory)
        imported = [Observation("on import", LOADING, f"{o.kind}: {o.text}") for o in found]
        limits = getattr(value, "limits", FULL)
        return "ready", callable(getattr(value, "backward", None)), limits, imported

    def forward(self, params: Any, x: Any, state_0: Any, lengths: Any, dropped: list[int]) -> Any:
        """Call forward; the tape stays here under a number."""
        for gone in dropped:
            self.tapes.pop(gone, None)
        given = unpack((params, x, state_0, lengths))
        before = _bytes(given)
        call = lambda: self.kernel.forward(*given[:3], lengths=given[3])
        value, raised, found = self.watch.call("forward", call, _printed)
        found += self._overwritten("forward")
        changed = _changed(given, before)
        if raised is not None:
            return "raised", *_raised(raised), changed, {}, found
        number: int | None = None
        if isinstance(value, tuple) and len(value) == 3:
            self.count += 1
            number = self.count
            results = _results(value[0], value[1])
            self.latest = [(a, a.tobytes()) for a in results.values()]
            self.tapes[number] = (value[2], [(n, a, a.tobytes()) for n, a in results.items()])
            value = (value[0], value[1], number)
        return "value", plain(value), number, changed, {}, found

    def backward(self, params: Any, number: int, dy: Any, dstate_T: Any, dropped: list[int]) -> Any:
        """Call backward on a tape that is here."""
        tape, results = self.tapes[number]
        for gone in dropped:
            self.tapes.pop(gone, None)
        given = unpack((params, dy, dstate_T))
        before = _bytes(given)
        call = lambda: self.kernel.backward(given[0], tape, given[1], given[2])
        value, raised, found = self.watch.call("backward", call, _printed)
        changed = _changed(given, before)
        moved = {n: np.array(a) for n, a, old in results if a.tobytes() != old}
        if raised is not None:
            return "raised", *_raised(raised), changed, moved, found
        return "value", plain(value), None, changed, moved, found

    def _overwritten(self, call: str) -> list[Observation]:
        """Whether the results of the last call have changed since."""
        gone = any(a.tobytes() != old for a, old in self.latest)
        self.latest = []
        text = "the results of the call before are overwritten"
        return [Observation("earlier results", call, text)] if gone else []


def _results(y: Any, states: Any) -> dict[str, Any]:
    """The arrays among what forward gave, by the names that the parent knows them under."""
    named = {"y": y}
    if isinstance(states, Mapping):
        named |= {f"{n}_T": a for n, a in states.items()}
    return {n: a for n, a in named.items() if isinstance(a, np.ndarray) and not a.dtype.hasobject}


def _bytes(given: Any) -> Any:
    """What arguments are, to be compared."""
    if isinstance(given, np.ndarray):
        return given.tobytes()
    if isinstance(given, Mapping):
        return {n: _bytes(a) for n, a in given.items()}
    return [_bytes(a) for a in given] if isinstance(given, tuple) else None


def _changed(given: tuple[Any, ...], before: list[Any]) -> list[Any]:
    """For each argument what it is now if it has changed, else None."""
    now = _bytes(given)
    pairs = zip(given, now, before, strict=True)
    return [None if new == old else pack(plain(a)) for a, new, old in pairs]


def _raised(error: BaseException) -> tuple[str, bool]:
    """What it says and where, and whether it says that something is not given."""
    text = one_line(f"{type(error).__name__}: {error}", 200)
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(OWN)
    ]
    own = [f for f in frames if "site-packages" not in f.filename] or frames
    if own:
        text += f" ({Path(own[-1].filename).name}, line {own[-1].lineno})"
    absent = isinstance(error, NotImplementedError)
    return (one_line(str(error), 200) if absent else text), absent


def _printed() -> str:
    """What is in the file of the standard streams, which is emptied."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue
    size = os.fstat(1).st_size
    if not size:
        return ""
    text = os.pread(1, 400, 0).decode("utf-8", "backslashreplace")
    os.ftruncate(1, 0)
    os.lseek(1, 0, os.SEEK_SET)
    return text


def _limit_memory(megabytes: int) -> None:
    """So much more than is mapped by now; no core files, no endless output."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, resource.RLIM_INFINITY))
    status = Path("/proc/self/statm")
    if not status.is_file():
        return
    mapped = int(status.read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + (megabytes << 20), resource.RLIM_INFINITY))


def _die_with_parent() -> None:
    """Linux kills the child when its parent ends, even while the child computes."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
