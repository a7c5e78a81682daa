"""Ask Coq: does it accept a file, and on which axioms does what it proves rest."""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from derive.backends.coq.module import LIBRARY, library_source
from derive.errors import UsageError

__all__ = ["AXIOMS", "Checked", "check", "installed"]

# Of Coq's real numbers, and that functions are equal if their values are.
AXIOMS = frozenset(
    {
        "ClassicalDedekindReals.sig_not_dec",
        "ClassicalDedekindReals.sig_forall_dec",
        "FunctionalExtensionality.functional_extensionality_dep",
        "functional_extensionality_dep",
    }
)
# What would let a file prove anything.
FORBIDDEN = re.compile(
    r"\b(Admitted|admit|give_up|Axioms?|Parameters?|Conjecture|Hypothes[ie]s|Unset|bypass_check"
    r"|Abort|Declare\s+ML|LoadPath|Load|Redirect|Extraction)\b"
)
_NAME = re.compile(r"^\s*(?:Theorem|Lemma)\s+([\w']+)", re.MULTILINE)
_COMMENT = re.compile(r"\(\*.*?\*\)", re.DOTALL)
SECONDS = 600


@dataclass(frozen=True)
class Checked:
    """What Coq said.

    Attributes:
        accepted: whether every proof was, and nothing but `AXIOMS` is assumed.
        proved: names of the theorems and lemmas, if accepted.
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


def check(source: str, *others: tuple[str, str], seconds: float = SECONDS) -> Checked:
    """Have Coq check a file, after its library and `others`.

    Everything is copied to an empty folder; the library is the one that is shipped.

    Args:
        source: the text of the file.
        others: (name, text) of files that it requires, in order, without their '.v'.

    Raises:
        UsageError: no Coq is installed.
    """
    if not installed():
        raise UsageError(
            "coqc was not found: install Coq 8.16 or later (Debian: "
            "apt-get install --no-install-recommends coq)"
        )
    found = FORBIDDEN.search(_COMMENT.sub(" ", source))
    if found:
        line = source[: source.find(found[0])].count("\n") + 1
        return Checked(False, reason=f"line {line}: '{found[0]}' has no place in a proof")
    names = tuple(_NAME.findall(_COMMENT.sub(" ", source)))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        required = [(LIBRARY.removesuffix(".v"), library_source()), *others]
        for name, text in [*required, ("Checked", source)]:
            (folder / f"{name}.v").write_text(text, encoding="utf-8")
            said = _coqc(folder, name, seconds)
            if said:
                return Checked(False, reason=_where(text, said))
        everything = "".join(f"(Checked.{name}, " for name in names) + "tt" + ")" * len(names)
        asked = f"Definition everything := {everything}.\nPrint Assumptions everything.\n"
        (folder / "Axioms.v").write_text(f"Require Checked.\n{asked}", encoding="utf-8")
        done = _run(folder, "Axioms", seconds)
        if done.returncode != 0:
            return Checked(False, names, reason=_where("", done.stderr))
        output = done.stdout
    axioms = tuple(sorted(set(re.findall(r"^([\w.']+)\s*:", output, re.MULTILINE)) - {"Axioms"}))
    foreign = [name for name in axioms if name not in AXIOMS]
    if foreign:
        return Checked(False, names, axioms, f"rests on {', '.join(foreign)}")
    return Checked(True, names, axioms)


def _coqc(folder: Path, name: str, seconds: float) -> str:
    """What Coq complains of; '' if it accepts the file."""
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
