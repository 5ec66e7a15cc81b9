"""Bad lines of an input: their refusal under strict, and how messages tell of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from tasks.errors import UsageError
from tasks.formats.requests import InputError
from tasks.store import ingestion
from tasks.submission.disk_set import DiskSet
from tasks.submission.source import Item
from tasks.submission.source_name import shown


def refuse_bad_lines(items: Iterable[Item], source: str, on_error: Callable[[InputError], None]) -> None:
    """Read all lines and raise UsageError if one is bad, after `on_error` had each of them."""
    if iter(items) is items:
        raise UsageError("strict reads the input twice: give a file or a list, not an iterator")
    first, number = None, 0
    for error in _bad_lines(items):
        on_error(error)
        first, number = first or error, number + 1
    if number:
        raise UsageError(f"{shown(source)} was not submitted: {bad_lines_text(number, first)}")


def _bad_lines(items: Iterable[Item]) -> Iterator[InputError]:
    with DiskSet() as custom_ids:
        for item in items:
            if isinstance(item, InputError):
                yield item
            elif not custom_ids.add(item.custom_id.encode()):
                yield ingestion.repeated_id(item)


def bad_lines_text(number: int, first: InputError | None) -> str:
    """Return how many lines are bad, and why the first is."""
    example = f", the first at line {first.line}: {first.reason}" if first else ""
    return f"{number} bad line{'s' if number > 1 else ''}{example}"
