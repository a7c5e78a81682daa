"""A sample of the hostile texts through the command: exit code 2, one line, nothing executed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.derive.language.hostile import ROWS, Row

NAMES = (
    "dunder import",
    "nested brackets",
    "UTF-16 with its mark",
    "ten megabytes of brackets",
    "equation that reads itself",
    "number to a huge exponent",
)
SAMPLE = tuple(row for row in ROWS if row.name in NAMES)


def test_the_sample_is_in_the_table() -> None:
    assert len(SAMPLE) == len(NAMES)


@pytest.mark.parametrize("row", SAMPLE, ids=lambda row: row.name)
def test_the_command_refuses_a_hostile_file(row: Row, tmp_path: Path) -> None:
    text = row.text
    (tmp_path / "mine.cell").write_bytes(text if isinstance(text, bytes) else text.encode())
    done = subprocess.run(
        [sys.executable, "-m", "derive", "show", "mine.cell"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert f"mine.cell: line {row.line}: " in line
    assert [path.name for path in tmp_path.iterdir()] == ["mine.cell"]
