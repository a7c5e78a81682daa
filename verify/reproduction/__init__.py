"""A failure as a script of plain NumPy that shows it again."""

from verify.reproduction.recording import Call, Recorder, calls_on
from verify.reproduction.script import Script, script

__all__ = ["Call", "Recorder", "Script", "calls_on", "script"]
