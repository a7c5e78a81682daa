"""Ask Coq: does it accept a file, and on which axioms does what it proves rest."""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from derive.backends.coq.module import LIBRARY, library_source
from derive.backends.coq.specifications import specification
from derive.errors import UsageError

__all__ = ["AXIOMS", "Checked", "check", "installed"]

# Of Coq's real numbers; that functions are equal if their values are; and the excluded middle, on
# which Coq's mean value theorem and so its logarithm rest.
AXIOMS = frozenset(
    {
        "Classical_Prop.classic",
        "ClassicalDedekindReals.sig_not_dec",
        "ClassicalDedekindReals.sig_forall_dec",
        "FunctionalExtensionality.functional_extensionality_dep",
        "functional_extensionality_dep",
    }
)
# What would let a file prove anything, or do anything but prove.
FORBIDDEN = re.compile(
    r"\b(Admitted|admit|give_up|Axioms?|Parameters?|Conjectures?|Hypothes[ie]s|Unset|Abort"
    r"|bypass_check|ML|LoadPath|Load|Redirect|Extraction|Cd|Drop)\b"
)
SECONDS = 600
_NAME = re.compile(r"^\s*(?:Theorem|Lemma)\s+([\w']+)", re.MULTILINE)
_COMMENT = re.compile(r"\(\*.*?\*\)", re.DOTALL)


@dataclass(frozen=True)
class Checked:
    """What Coq said.

    Attributes:
        accepted: whether every proof was, and nothing but `AXIOMS` is assumed.
        proved: names of the theorems and lemmas of all files, if accepted.
        axioms: what they rest on.
        reason: why it was not accepted: Coq's message, with the lemma it stopped at.
    """

    accepted: bool
    proved: tuple[str, ...] = ()
    axioms: tuple[str, ...] = ()
    reason: str = ""


def installed() -> bool:
    """Whether there is a Coq to ask."""
    return shutil.which("coqc") is not None


def check(source: str, specified: str = "", *, seconds: float = SECONDS) -> Checked:
    """Have Coq check a generated file, and that it meets a specification.

    Everything is copied to an empty folder; library and specification are the shipped ones.

    Args:
        source: the text of the file.
        specified: the name of a specification; '' for none.
        seconds: for each file.

    Raises:
        UsageError: no Coq is installed, or no such specification.
    """
    others = specification(specified) if specified else ()
    if not installed():
        raise UsageError(
            "coqc was not found: install Coq 8.16 or later (Debian: "
            "apt-get install --no-install-recommends coq)"
        )
    bare = _COMMENT.sub(" ", source)
    found = FORBIDDEN.search(bare)
    if found:
        return Checked(False, reason=f"'{found[0]}' has no place in a proof")
    library = (LIBRARY.removesuffix(".v"), library_source())
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, text in (library, ("Cell", source), *others):
            said = _said(folder, name, text, seconds)
            if said:
                return Checked(False, reason=f"{name}.v: {_where(text, said)}")
        return _axioms(folder, (("Cell", bare), *others), seconds)


def _axioms(folder: Path, texts: tuple[tuple[str, str], ...], seconds: float) -> Checked:
    """Everything that is proved, and what it rests on."""
    names = [f"{module}.{name}" for module, text in texts for name in _NAME.findall(text)]
    everything = "".join(f"({name}, " for name in names) + "tt" + ")" * len(names)
    required = " ".join(module for module, _ in texts)
    text = f"Require {required}.\nDefinition everything := {everything}.\n"
    (folder / "All.v").write_text(f"{text}Print Assumptions everything.\n", encoding="utf-8")
    done = _run(folder, "All", seconds)
    if done.returncode != 0:
        return Checked(False, reason=f"All.v: {_where(text, done.stderr)}")
    listed = re.findall(r"^([\w.']+)\s*:", done.stdout, re.MULTILINE)
    axioms = tuple(sorted(set(listed) - {"Axioms"}))
    foreign = [name for name in axioms if name not in AXIOMS]
    reason = f"rests on {', '.join(foreign)}" if foreign else ""
    return Checked(not foreign, tuple(names), axioms, reason)


def _said(folder: Path, name: str, text: str, seconds: float) -> str:
    """What Coq complains of; '' if it accepts the file."""
    (folder / f"{name}.v").write_text(text, encoding="utf-8")
    try:
        done = _run(folder, name, seconds)
    except subprocess.TimeoutExpired:
        return f"coqc took more than {seconds:g} s"
    return "" if done.returncode == 0 else done.stderr or f"coqc ended with {done.returncode}"


def _run(folder: Path, name: str, seconds: float) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["coqc", "-q", "-w", "none", f"{name}.v"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def _where(text: str, said: str) -> str:
    """Coq's message with the lemma in which it stopped."""
    place = re.search(r"line (\d+)", said)
    message = " ".join(said.partition("Error:")[2].split()) or " ".join(said.split())
    before = "\n".join(text.splitlines()[: int(place[1])]) if place else ""
    lemmas = _NAME.findall(before)
    at = f"in {lemmas[-1]}, line {place[1]}: " if place and lemmas else ""
    return f"{at}{message[:300]}"
