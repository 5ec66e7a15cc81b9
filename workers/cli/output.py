"""The command's output: data to stdout, messages to stderr."""

from __future__ import annotations

import json
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def info(text: str) -> None:
    """Write a message to stderr, without terminal escapes that file names and the like may contain."""
    from tasks.formats.escapes import without_escapes

    printable = without_escapes(text).encode(errors="replace").decode()
    print(printable, file=sys.stderr, flush=True)


def write(text: str) -> None:
    """Write a line of data to stdout."""
    print(text, flush=True)


def write_json(value: Any) -> None:
    """Write data to stdout as one line of JSON."""
    write(json.dumps(value, ensure_ascii=False))


@cache
def stderr_console() -> Console:
    """Return the console on stderr."""
    from rich.console import Console

    return Console(stderr=True)


@cache
def stdout_console() -> Console:
    """Return the console on stdout, for tables; 160 columns wide where stdout is no terminal."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160)
