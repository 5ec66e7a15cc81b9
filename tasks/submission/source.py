"""The input of a submission: a file or an iterable, as a stream of parsed lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tasks.formats.reading import InputFormat, read_requests, requests_from
from tasks.formats.requests import InputError, ParsedRequest
from tasks.settings import Settings

Item = ParsedRequest | InputError


class BatchInput:
    """An iterable of lines that can be read again from the start: strict submissions read it twice."""

    def __init__(self, read: Callable[[], Iterator[Item]]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[Item]:
        return self._read()


def from_file(path: Path, settings: Settings, *, format: InputFormat | None = None) -> Iterable[Item]:
    """Return the lines of a batch file; raises FormatError while it is read."""
    models, extra = _accepted(settings)
    return BatchInput(lambda: read_requests(path, models=models, format=format, extra_params=extra))


def from_items(items: Iterable[object], settings: Settings) -> Iterable[Item]:
    """Return the lines of an iterable of prompts (text) or requests (dicts like a JSON line).

    An iterator can be read only once, any other iterable again and again.
    """
    models, extra = _accepted(settings)
    if iter(items) is items:
        return requests_from(items, models=models, extra_params=extra)
    return BatchInput(lambda: requests_from(items, models=models, extra_params=extra))


def _accepted(settings: Settings) -> tuple[list[str], frozenset[str]]:
    """Return the names of the models, and the extra parameters that any of them takes."""
    names = [model.name for model in settings.models]
    return names, frozenset().union(*(model.extra_parameters for model in settings.models))
