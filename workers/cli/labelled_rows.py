"""Labelled files that a command names: their rows, with a report of those that are bad."""

from __future__ import annotations

import sys
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.bad_lines import BadLines
from workers.cli.output import info, warn

if TYPE_CHECKING:
    from router_core.data.label_checks.checks import LabelChecks
    from router_core.data.labelled_prompts import LabelledPrompt

MaxBadRows = Annotated[
    int, typer.Option(min=0, metavar="N", help="Go on without bad rows if there are no more than these.")
]


def rows_of(files: list[Path], max_bad: int) -> tuple[list[LabelledPrompt], LabelChecks]:
    """Return the rows of labelled files, and the checks that took them in; bad rows are reported."""
    rows, checks, _ = _read(files, max_bad)
    return rows, checks


def check_rows(files: list[Path], known: Collection[str]) -> int:
    """Report what is wrong or probably wrong in labelled files; return how many bad rows and warnings.

    Args:
        files: The files.
        known: The names of the configured models.
    """
    rows, checks, bad = _read(files, sys.maxsize)
    warnings = list(checks.warnings(known=known))
    warn(warnings)
    models = len({model for row in rows for model in row.scores})
    info(f"good rows {len(rows):,}, models {models:,}, bad rows {bad:,}, warnings {len(warnings):,}")
    return bad + len(warnings)


def _read(files: list[Path], max_bad: int) -> tuple[list[LabelledPrompt], LabelChecks, int]:
    """Return the good rows, the checks that took them in, and the number of bad ones, which are reported."""
    from router_core.data.label_checks.checks import LabelChecks
    from workers.routers.labelled_files import read_rows

    with ExitStack() as reports:
        of_file = {file: reports.enter_context(BadLines(str(file))) for file in files}
        checks = LabelChecks()
        rows = read_rows(
            files, max_bad=max_bad, on_bad=lambda file, error: of_file[file].add(error), checks=checks
        )
        return rows, checks, sum(report.count for report in of_file.values())
