"""Ids that were given as whole numbers, as numbers again."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: as text is made of whole numbers of 64 bits, and nothing else
_WHOLE = re.compile(r"0|-?[1-9]\d{0,17}")


def whole_numbers(ids: Iterable[str | None]) -> list[int | None] | None:
    """Return the numbers that the ids stand for; None if one of them is no whole number."""
    found = list(ids)
    if not all(one is None or _WHOLE.fullmatch(one) for one in found):
        return None
    return [None if one is None else int(one) for one in found]
