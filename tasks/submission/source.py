"""The input of a submission: a file or an iterable, as a stream of parsed lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tasks.formats.errors import EmptyFileError, FormatError
from tasks.formats.inputs.file import untold
from tasks.formats.inputs.frames import is_read_once
from tasks.formats.inputs.options import InputOptions, no_notice, once
from tasks.formats.locations.location import Location
from tasks.formats.reading import DEFAULT_LIMITS, DEFAULT_OPTIONS, read_requests, requests_from
from tasks.formats.requests import InputError, InputLimits, ParsedRequest
from tasks.settings import Settings

Item = ParsedRequest | InputError


@dataclass(frozen=True, slots=True)
class Accepted:
    """What lines may name: models, and the parameters beyond OpenAI's API that any of them takes."""

    models: tuple[str, ...]
    parameters: frozenset[str] = frozenset()


class BatchInput:
    """An iterable of lines that can be read again from the start: strict submissions read it twice."""

    def __init__(self, read: Callable[[], Iterator[Item]]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[Item]:
        return self._read()


def from_file(
    file: Location,
    settings: Settings | Accepted,
    *,
    options: InputOptions = DEFAULT_OPTIONS,
    on_notice: Callable[[str], None] = no_notice,
) -> Iterable[Item]:
    """Return the lines of a batch file; raises FormatError while it is read.

    Args:
        file: The file.
        settings: The settings, whose models a line may name, or what lines may name.
        options: How the file is read, where it does not say so itself.
        on_notice: Called with what people should know of the reading, each text once.
    """
    return from_files([file], settings, options=options, on_notice=on_notice)


def from_files(
    files: Sequence[Location],
    settings: Settings | Accepted,
    *,
    models: Sequence[str] = (),
    of_key: bool = False,
    limits: InputLimits = DEFAULT_LIMITS,
    options: InputOptions = DEFAULT_OPTIONS,
    on_notice: Callable[[str], None] = no_notice,
    on_lines: Callable[[int], None] = untold,
) -> Iterable[Item]:
    """Return the lines of several files as those of one: each file's numbers go on after the last one's.

    The reasons of bad lines then begin with the file and the number in it. Arguments and errors are those of
    `from_file`; a file without requests is only noticed. `models` are those that a line may name, by default
    those of the settings, and `of_key` says that they are those of an API key; `limits` those on a file and
    its lines. `on_lines` is called now and then with the number of lines read so far.
    """
    accepted = accepted_by(settings)
    notice = once(on_notice)

    def read(file: Location, lines_before: int) -> Iterator[Item]:
        return read_requests(
            file,
            models=models or accepted.models,
            lines_before=lines_before,
            limits=limits,
            options=options,
            extra_params=accepted.parameters,
            on_notice=notice if len(files) == 1 else lambda text: notice(f"{file}: {text}"),
            on_lines=lambda lines: on_lines(lines_before + lines),
            of_key=of_key,
        )

    if len(files) == 1:
        return BatchInput(lambda: read(files[0], 0))
    return BatchInput(lambda: _joined(files, read, notice))


def _joined(
    files: Sequence[Location], read: Callable[[Location, int], Iterator[Item]], notice: Callable[[str], None]
) -> Iterator[Item]:
    last = 0
    for file in files:
        before = last
        try:
            for item in read(file, before):
                last = item.line
                yield _located(item, file, before) if isinstance(item, InputError) else item
        except EmptyFileError:
            notice(f"{file} holds no requests")


def _located(error: InputError, file: Location, before: int) -> InputError:
    return replace(error, reason=f"{file}, line {error.line - before}: {error.reason}")


def from_items(
    items: object,
    settings: Settings | Accepted,
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
    accepted = accepted_by(settings)
    notice = once(on_notice)

    def read() -> Iterator[Item]:
        return requests_from(
            items,
            models=accepted.models,
            options=options,
            extra_params=accepted.parameters,
            on_notice=notice,
        )

    return read() if is_read_once(items) else BatchInput(read)


def accepted_by(settings: Settings | Accepted) -> Accepted:
    """Return what lines may name by these settings."""
    if isinstance(settings, Accepted):
        return settings
    names = tuple(model.name for model in settings.models)
    return Accepted(names, frozenset().union(*(model.extra_parameters for model in settings.models)))


def with_bad_at_most(items: Iterable[Item], source: str, most: int) -> Iterable[Item]:
    """Return the same lines, read with a bound on bad ones: one more raises FormatError."""

    def read() -> Iterator[Item]:
        bad = 0
        for item in items:
            bad += isinstance(item, InputError)
            if bad > most:
                raise FormatError(Path(source), f"more than {most:,} lines are bad, up to line {item.line:,}")
            yield item

    return BatchInput(read)
