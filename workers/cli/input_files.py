"""The files that a command reads: paths, globs, URLs and stdin."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from workers.cli.output import info

if TYPE_CHECKING:
    from tasks.formats.locations.location import Location

STDIN = "-"


@contextmanager
def readable(files: list[str]) -> Iterator[tuple[list[Location], str]]:
    """Return the files to read and their name for people; stdin is copied, so that it can be read twice."""
    from tasks.formats.locations.expansion import expanded, source_name

    if STDIN not in files:
        found = expanded(files)
        yield found, source_name(found)
        return
    if len(files) > 1:
        raise typer.BadParameter("- is stdin, which cannot be read among other files")
    with tempfile.TemporaryDirectory(prefix="waybill-") as directory:
        copy = Path(directory) / "stdin.jsonl"  # --format names any other format
        with copy.open("wb") as stream:
            shutil.copyfileobj(sys.stdin.buffer, stream)
        yield [copy], "stdin"


def noticed(source: str) -> Callable[[str], None]:
    """Return what tells people of a notice on an input of this name."""
    return lambda text: info(f"{source}: {text}")


def read_so_far(source: str) -> Callable[[int], None]:
    """Return what tells people how far an input of this name is read."""
    return lambda lines: info(f"{source}: {lines:,} lines read so far")
