"""The input of a submission: a file or an iterable, as a stream of parsed lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tasks.formats.inputs.frames import is_read_once
from tasks.formats.inputs.options import InputOptions, no_notice, once
from tasks.formats.reading import DEFAULT_OPTIONS, read_requests, requests_from
from tasks.formats.requests import InputError, ParsedRequest
from tasks.settings import Settings

Item = ParsedRequest | InputError


class BatchInput:
    """An iterable of lines that can be read again from the start: strict submissions read it twice."""

    def __init__(self, read: Callable[[], Iterator[Item]]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[Item]:
        return self._read()


def from_file(
    path: Path,
    settings: Settings,
    *,
    options: InputOptions = DEFAULT_OPTIONS,
    on_notice: Callable[[str], None] = no_notice,
) -> Iterable[Item]:
    """Return the lines of a batch file; raises FormatError while it is read.

    Args:
        path: The file.
        settings: The settings, whose models a line may name.
        options: How the file is read, where it does not say so itself.
        on_notice: Called with what people should know of the reading, each text once.
    """
    models, extra = _accepted(settings)
    notice = once(on_notice)
    return BatchInput(
        lambda: read_requests(path, models=models, options=options, extra_params=extra, on_notice=notice)
    )


def from_items(
    items: object,
    settings: Settings,
    *,
    options: InputOptions = DEFAULT_OPTIONS,
    on_notice: Callable[[str], None] = no_notice,
) -> Iterable[Item]:
    """Return the lines of a table or of an iterable; raises OptionsError if a table holds no prompt.

    Args:
        items: Prompts (text), requests (dicts like a JSON line), or a data frame, Arrow table or data set. An
            iterator can be read only once, any other one again and again.
        settings: The settings, whose models a request may name.
        options: Which columns or keys hold what.
        on_notice: Called with what people should know of the reading, each text once.
    """
    models, extra = _accepted(settings)
    notice = once(on_notice)

    def read() -> Iterator[Item]:
        return requests_from(items, models=models, options=options, extra_params=extra, on_notice=notice)

    return read() if is_read_once(items) else BatchInput(read)


def _accepted(settings: Settings) -> tuple[list[str], frozenset[str]]:
    """Return the names of the models, and the extra parameters that any of them takes."""
    names = [model.name for model in settings.models]
    return names, frozenset().union(*(model.extra_parameters for model in settings.models))
