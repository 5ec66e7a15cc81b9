"""The findings of the checks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """The result of a check: its name, its severity, what was found, and what to do about it."""

    name: str
    level: Level
    text: str
    advice: str = ""
