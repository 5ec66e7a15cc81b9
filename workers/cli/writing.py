"""The destination of a command's data: stdout, or a file that is replaced atomically."""

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
    """Open stdout for `-`, else a file, which is replaced only if the block succeeds; raises FormatError."""
    from tasks.formats.outputs.atomic import replacing

    if output == STDOUT:
        yield sys.stdout
        return
    with replacing([output]) as (stream,):
        text = TextIOWrapper(stream, encoding="utf-8", newline="\n")
        yield text
        text.flush()
        text.detach()
