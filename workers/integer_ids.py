"""Ids that were given as whole numbers, as numbers again."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: as text is made of whole numbers of 64 bits, and nothing else
_WHOLE = re.compile(r"0|-?[1-9]\d{0,17}")


def whole_numbers(ids: Iterable[str | None], lines: Iterable[int]) -> list[int | None] | None:
    """Return the numbers of the ids, None where a line had none; None if one is no whole number."""
    found = [None if one == f"line-{line}" else one for one, line in zip(ids, lines, strict=True)]
    if not all(one is None or _WHOLE.fullmatch(one) for one in found):
        return None
    return [None if one is None else int(one) for one in found]
