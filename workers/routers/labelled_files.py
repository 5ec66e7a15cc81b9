"""Files of labelled prompts: every bad row is reported, and the others are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.formats.requests import InputError

if TYPE_CHECKING:
    from router_core.data.label_checks.checks import LabelChecks
    from router_core.data.labelled_prompts import LabelledPrompt

#: called with each bad row of a file
OnBadRow = Callable[[Path, InputError], None]
#: the code of a row that is no label
INVALID_LABEL = "invalid_label"


def read_rows(
    files: Sequence[Path], *, max_bad: int, on_bad: OnBadRow, checks: LabelChecks | None = None
) -> list[LabelledPrompt]:
    """Return the rows of all files, without bad ones; `checks` takes in each of them.

    Raises:
        LabelsError: More than `max_bad` rows are bad, none is good, or a file cannot be read.
    """
    from router_core.data.labelled_prompts import numbered_labelled
    from router_core.errors import LabelsError

    rows: list[LabelledPrompt] = []
    bad = 0

    def add(file: Path, line: int, reason: str) -> None:
        nonlocal bad
        bad += 1
        on_bad(file, InputError(line, INVALID_LABEL, reason, None))

    for file in files:
        for line, row in numbered_labelled(file, on_bad=partial(add, file)):
            rows.append(row)
            if checks is not None:
                checks.add(row.scores, str(file), line, id=row.id, prompt=row.prompt)
    if not rows:
        raise LabelsError(f"no good row in {', '.join(map(str, files))}: {bad:,} are bad")
    if bad > max_bad:
        are = f"{bad:,} of {bad + len(rows):,} rows {'is' if bad == 1 else 'are'} bad"
        raise LabelsError(f"{are}: `--max-bad {bad}` goes on without {'it' if bad == 1 else 'them'}")
    return rows
