"""The files that a run was asked for."""

from pathlib import Path

from derive.cell import Cell
from derive.errors import UsageError, one_line
from verify.kernels import Kernel
from verify.report import Report, reproduction
from verify.reports.figures import measured
from verify.reports.html import to_html
from verify.reports.junit import to_junit

__all__ = ["write_files", "write_scripts"]


def write_files(
    cell: Cell,
    kernel: Kernel,
    report: Report,
    *,
    junit: str | None = None,
    html: str | None = None,
    scripts: str | None = None,
) -> None:
    """Write what has a name.

    Args:
        kernel: what the report is of; it is called for the figures of the page.

    Raises:
        UsageError: a file cannot be written.
    """
    try:
        if junit is not None:
            Path(junit).write_text(to_junit(report), encoding="utf-8")
        if scripts is not None:
            write_scripts(report, Path(scripts))
        if html is not None:
            page = to_html(report, measured(cell, kernel, seed=report.seed))
            Path(html).write_text(page, encoding="utf-8")
    except OSError as error:
        where = one_line(str(error.filename), 80)
        raise UsageError(f"'{where}' cannot be written: {error.strerror}") from None


def write_scripts(report: Report, folder: Path) -> tuple[Path, ...]:
    """A script for each finding that has calls, named after its property; its arrays beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for finding in report.findings:
        name = finding.property.replace(" ", "_")
        found = reproduction(report, finding, f"{name}.npz")
        if found is not None:
            found.save(folder / f"{name}.py")
            written.append(folder / f"{name}.py")
    return tuple(written)
