"""The destination of a command's data: stdout, a file or a URL; files appear as a whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TextIO

STDOUT = "-"


@contextmanager
def open_output(output: str) -> Iterator[TextIO]:
    """Open stdout for `-`, else a file or URL, which is replaced only if the block succeeds.

    A suffix of a compression compresses it. Raises FormatError.
    """
    from tasks.formats.locations.location import location_of
    from tasks.formats.outputs.destinations import destinations

    if output == STDOUT:
        yield sys.stdout
        return
    with destinations([location_of(output)]) as (stream,):
        text = TextIOWrapper(stream, encoding="utf-8", newline="\n")
        yield text
        text.flush()
        text.detach()
