"""Screens: what is drawn in a terminal, compared with a recorded one at 80 and at 120 columns."""

from __future__ import annotations

import io
import os

from rich.console import Console, RenderableType

from tests.support.paths import REPOSITORY

WIDTHS = (80, 120)
UNLIMITED = 1_000
LINES = 24
FOLDER = REPOSITORY / "tests" / "data" / "screens"
_BARS = {"━" * number for number in range(UNLIMITED)}
#: set to anything, it records the screens anew: read what changed, with `git diff`, before it is committed
RECORD = "WAYBILL_RECORD_SCREENS"


def drawn(screen: RenderableType, width: int) -> str:
    """Return what a terminal of this width shows, whatever the terminal and locale of this process."""
    console = Console(
        file=io.StringIO(), record=True, width=width, height=LINES, color_system=None, _environ={}
    )
    console.print(screen, highlight=False)
    return "\n".join(line.rstrip() for line in console.export_text().splitlines()) + "\n"


def assert_screen(name: str, screen: RenderableType) -> None:
    """Check that a screen is the recorded one at each width, and that every word of it is whole."""
    for width in WIDTHS:
        text, file = drawn(screen, width), FOLDER / f"{name}.{width}.txt"
        assert set(drawn(screen, UNLIMITED).split()) - set(text.split()) - _BARS == set(), text
        if os.environ.get(RECORD):
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8"), f"{file.name}: {RECORD}=1 records it anew"
