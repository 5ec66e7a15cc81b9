"""The command's output: data to stdout, messages to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

#: columns of a screen that no terminal shows
_UNLIMITED: Final = 10_000


def info(text: str) -> None:
    """Write a message to stderr, without terminal escapes that file names and the like may contain."""
    from tasks.formats.escapes import without_escapes

    printable = without_escapes(text).encode(errors="replace").decode()
    print(printable, file=sys.stderr, flush=True)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 line`, `2,000 lines`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def warn(texts: Iterable[str]) -> None:
    """Write warnings to stderr, a line each."""
    for text in texts:
        info(f"warning: {text}")


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


def show(screen: RenderableType, *, highlight: bool = True) -> None:
    """Write a screen to stdout: into a pipe as wide as it is, so that nothing is cut or wrapped there.

    Args:
        screen: Tables and texts.
        highlight: Whether numbers and the like have colours in a terminal.
    """
    from rich.console import Console

    if sys.stdout.isatty():
        Console().print(screen, highlight=highlight)
        return
    console = Console(width=_UNLIMITED)
    with console.capture() as captured:
        console.print(screen, highlight=highlight)
    write("\n".join(line.rstrip() for line in captured.get().removesuffix("\n").split("\n")))
