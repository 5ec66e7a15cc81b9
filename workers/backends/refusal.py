"""Prompts that are refused as a whole."""

from __future__ import annotations

from tasks.errors import UsageError
from tasks.formats.requests import InputError
from tasks.submission.bad_lines import bad_lines_text


def refuse(source: str, bad: int, first: InputError | None, *, is_empty: bool, strict: bool) -> None:
    """Raise UsageError for prompts without a request, and under strict for a bad line.

    Args:
        source: What they are read from.
        bad: The number of bad lines.
        first: The first of them.
        is_empty: Whether there is no request.
        strict: Whether a bad line refuses all.
    """
    if bad and strict:
        raise UsageError(f"{source} was not submitted: {bad_lines_text(bad, first)}")
    if is_empty:
        reason = f": {bad_lines_text(bad, first)}" if bad else ""
        raise UsageError(f"{source} holds no request{reason}")
