"""Where a command writes its data: stdout, or a file that appears whole or not at all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

STDOUT = Path("-")


@contextmanager
def open_output(output: Path) -> Iterator[TextIO]:
    """Open what the data goes to; a file is put in place only if the block ends well. Raises FormatError."""
    from tasks.formats.outputs.atomic import replacing

    if output == STDOUT:
        yield sys.stdout
        return
    with replacing([output]) as (stream,):
        text = TextIOWrapper(stream, encoding="utf-8", newline="\n")
        yield text
        text.flush()
        text.detach()
