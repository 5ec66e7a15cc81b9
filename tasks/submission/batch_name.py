"""The name that people give a batch."""

from __future__ import annotations

from tasks.errors import UsageError

MAX_LENGTH = 100


def checked_name(name: str | None) -> str | None:
    """Return the name without spaces around it, None for an empty one.

    Raises:
        UsageError: It is longer than `MAX_LENGTH`, or holds line ends or other control characters.
    """
    name = (name or "").strip()
    if len(name) > MAX_LENGTH:
        raise UsageError(f"the name of a batch has at most {MAX_LENGTH} characters")
    if not name.isprintable():
        raise UsageError("the name of a batch is one line, without control characters")
    return name or None
