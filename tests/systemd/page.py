"""The commands of docs/hosts.md for systemd, by the number of their step."""

from __future__ import annotations

import re
import textwrap

from tests.compose.engine import REPOSITORY

_PAGE = REPOSITORY / "docs" / "hosts.md"


def steps() -> dict[int, str]:
    """Return the indented lines below each bold step of the section."""
    section = _PAGE.read_text().split("## systemd")[1].split("\n## ")[0].split("**Logs**")[0]
    parts = re.split(r"^\*\*(\d)\.", section, flags=re.MULTILINE)[1:]
    return {int(number): _commands(text) for number, text in zip(parts[::2], parts[1::2], strict=True)}


def _commands(text: str) -> str:
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE)
    return "\n".join(textwrap.dedent(block) for block in blocks)
