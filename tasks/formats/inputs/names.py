"""The names of columns and keys, as messages may show them."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: one word or two: what is longer may be a prompt, in a file without a header
_NAME = re.compile(r"(?=.{1,40}\Z)[\w.:/@#%()+-]+(?: [\w.:/@#%()+-]+)?")
_SHOWN = 20


def listed(names: Iterable[object]) -> str:
    """Return the names for people; what is too long for a name may be part of a prompt and is not shown."""
    shown = [name if isinstance(name, str) and _NAME.fullmatch(name) else "…" for name in names]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return (", ".join(dict.fromkeys(shown[:_SHOWN])) or "nothing") + more
