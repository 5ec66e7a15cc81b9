"""How the command speaks: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def info(text: str) -> None:
    """Tell people something; file names and the like in it do nothing to their terminal."""
    from tasks.formats.escapes import without_escapes

    printable = without_escapes(text).encode(errors="replace").decode()
    print(printable, file=sys.stderr, flush=True)


def write(text: str) -> None:
    """Write data."""
    print(text, flush=True)


def write_json(value: Any) -> None:
    """Write data for scripts: one line of JSON."""
    write(json.dumps(value, ensure_ascii=False))


@cache
def stderr_console() -> Console:
    """Return the console on stderr."""
    from rich.console import Console

    return Console(stderr=True)


@cache
def stdout_console() -> Console:
    """Return the console on stdout, for tables; as wide as they need where nobody looks at a terminal."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160)
