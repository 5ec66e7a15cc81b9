"""Numbers in a usage block, as providers write them: integers, floats, text, null."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

#: more tokens than any model's context holds: a higher count is a provider's error
MAX_COUNT = 20_000_000


class Implausible(ValueError):
    """A figure that cannot be true; the usage is unknown then."""


def mapping_in(block: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """Return the first of these fields that holds an object, or an empty one."""
    for name in names:
        if isinstance(value := block.get(name), dict):
            return value
    return {}


def mappings_in(block: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return the objects in a field's list."""
    value = block.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def count_in(block: Mapping[str, Any], *names: str) -> int | None:
    """Return the first of these counts that is above 0, else 0 if one is, else None if all are missing.

    Raises:
        Implausible: One of them is no number, negative or absurdly high.
    """
    found: int | None = None
    for name in names:
        if (count := _count(block.get(name))) is not None:
            found = found or count
    return found


def part_in(block: Mapping[str, Any], *names: str) -> int:
    """Return a count as `count_in` does, and 0 for a missing one."""
    return count_in(block, *names) or 0


def number_of(value: object) -> float | None:
    """Return a number, also one in a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _count(value: object) -> int | None:
    if value is None:
        return None
    if type(value) is int and 0 <= value <= MAX_COUNT:
        return value
    number = number_of(value)
    if number is None or not 0 <= number <= MAX_COUNT:
        raise Implausible
    return math.ceil(number)
