"""People's labels from a file: their import, and the deletion of what an import has stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from router_core.compression import COMPRESSION_ERRORS
from router_core.data.label_checks.checks import LabelChecks
from router_core.data.prompt_hash import prompt_hash
from tasks.errors import UsageError
from tasks.formats.errors import FormatError, LineRejected
from tasks.formats.inputs.file import InputFile, numbered_lines, open_input
from tasks.formats.requests import InputLimits
from tasks.store.engine import Store
from tasks.store.learning import human_labels
from tasks.store.learning.human_labels import HumanPreference, LabelKey

_SLICE = 1_000
#: the value of the first model in a pair, by winner
_VALUE_OF_FIRST = {"first": 1.0, "second": 0.0, "tie": 0.5}


def _ignored(_line: int, _reason: str) -> None:
    """Say nothing of a bad line."""


def import_human(
    store: Store,
    file: Path,
    *,
    annotator: str,
    on_error: Callable[[int, str], None] = _ignored,
    checks: LabelChecks | None = None,
    dry_run: bool = False,
) -> tuple[int, int]:
    """Import people's labels from a JSON Lines file (see docs/formats.md).

    Args:
        annotator: The name of the person for lines that name none.
        on_error: Called with the line number and the reason for each line that cannot be read; the others are
            imported.
        checks: Takes in each line that is imported.
        dry_run: Count only, and store nothing.

    Returns:
        The number of labels read, and how many of them are new or changed.

    Raises:
        UsageError: The file cannot be read.
    """
    read = new = 0
    given: dict[LabelKey, float] = {}  # what a dry run would have stored: a label may come again
    for part in _slices(_preferences(file, annotator, on_error, checks)):
        read += len(part)
        if dry_run:
            with store.read() as connection:
                found = human_labels.changed(connection, part, given)
            given |= {key: one.value for key, one in found.items()}
            new += len(found)
        else:
            with store.write() as connection:
                new += human_labels.add(connection, part)
    return read, new


def delete_imported(store: Store, file: Path, *, annotator: str, dry_run: bool = False) -> int:
    """Delete the labels of a file as far as the store still holds them, and return their number.

    A label that was given anew since, with another value, stays. `annotator` is that of the import.

    Raises:
        UsageError: The file cannot be read.
    """
    parts = _slices(_preferences(file, annotator, _ignored, None))
    with store.read() as connection:
        keys = list(dict.fromkeys(key for part in parts for key in human_labels.stored(connection, part)))
    if not dry_run:
        with store.write() as connection:
            human_labels.delete_keys(connection, keys)
    return len(keys)


def delete_of(
    store: Store, *, annotator: str | None = None, model: str | None = None, dry_run: bool = False
) -> int:
    """Delete a person's labels, those that compare a model, or those of both; returns their number."""
    with store.read() as connection:
        number = human_labels.count_of(connection, annotator=annotator, model=model)
    if not dry_run:
        with store.write() as connection:
            human_labels.delete_of(connection, annotator=annotator, model=model)
    return number


def preferences_of(row: object, *, annotator: str) -> list[HumanPreference]:
    """Return the labels in one line: one for a preference, or one for each pair of scores.

    Raises:
        ValueError: The line is malformed; the message gives the reason.
    """
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    prompt = _text(row, "prompt")
    person = _text(row, "annotator") if row.get("annotator") is not None else annotator
    common: dict[str, Any] = {
        "prompt": prompt,
        "prompt_hash": prompt_hash(prompt),
        "annotator": person,
        "custom_id": _text(row, "id") if row.get("id") is not None else None,
        "category": _text(row, "category") if row.get("category") is not None else None,
    }
    if ("scores" in row) == ("preference" in row):
        raise ValueError("needs either 'scores' or 'preference'")
    pairs = _from_scores(row["scores"]) if "scores" in row else [_from_preference(row["preference"])]
    return [HumanPreference(pair=(first, second), value=value, **common) for first, second, value in pairs]


def _slices(lines: Iterable[list[HumanPreference]]) -> Iterator[list[HumanPreference]]:
    """Yield the labels of all lines, about a thousand at a time."""
    part: list[HumanPreference] = []
    for preferences in lines:
        part += preferences
        if len(part) >= _SLICE:
            yield part
            part = []
    if part:
        yield part


def _preferences(
    file: Path, annotator: str, on_error: Callable[[int, str], None], checks: LabelChecks | None
) -> Iterator[list[HumanPreference]]:
    for line, raw in _lines(file):
        if isinstance(raw, LineRejected):
            on_error(line, raw.reason)
            continue
        try:
            row = json.loads(raw)
            preferences = preferences_of(row, annotator=annotator)
        except (ValueError, RecursionError) as error:
            # The messages of `preferences_of` are for people; those of the JSON parser may quote the line.
            is_parser_error = isinstance(error, json.JSONDecodeError | UnicodeDecodeError | RecursionError)
            on_error(line, "not JSON" if is_parser_error else str(error))
            continue
        if checks is not None:
            _check(checks, preferences, row.get("scores"), str(file), line)
        yield preferences


def _check(
    checks: LabelChecks,
    preferences: Sequence[HumanPreference],
    scores: Mapping[str, float] | None,
    file: str,
    line: int,
) -> None:
    first = preferences[0]
    models = dict.fromkeys(model for one in preferences for model in one.pair)
    checks.add(
        models if scores is None else scores,
        file,
        line,
        id=first.custom_id,
        prompt=first.prompt,
        of=(first.annotator, *models),
        rater=first.annotator,
    )


def _lines(file: Path) -> Iterator[tuple[int, bytes | LineRejected]]:
    try:
        with open_input(file) as stream:
            numbered = numbered_lines(InputFile(file, stream, InputLimits(), lambda: open_input(file)))
            yield from ((line, raw) for line, raw in numbered if isinstance(raw, LineRejected) or raw.strip())
    except COMPRESSION_ERRORS as error:
        raise UsageError(f"{file}: cannot be read: {type(error).__name__}") from None
    except FormatError as error:
        raise UsageError(str(error)) from None


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key!r} must be a non-empty string")
    return value


def _from_scores(values: object) -> Iterable[tuple[str, str, float]]:
    """Yield a preference for each pair of scores, so that people and judges with different scales compare."""
    if not isinstance(values, dict) or len(values) < 2:
        raise ValueError("'scores' must be an object of at least two models' numbers")
    numbers = {model: _number(value) for model, value in values.items()}
    for first, second in combinations(sorted(numbers), 2):
        left, right = numbers[first], numbers[second]
        yield first, second, 0.5 + ((left > right) - (left < right)) / 2


def _from_preference(value: object) -> tuple[str, str, float]:
    if not isinstance(value, dict):
        raise ValueError("'preference' must be an object")
    first, second = _text(value, "first"), _text(value, "second")
    winner = value.get("winner")
    if first == second or winner not in _VALUE_OF_FIRST:
        raise ValueError("'preference' needs two different models and a winner: first, second or tie")
    preferred = _VALUE_OF_FIRST[winner]
    return (first, second, preferred) if first < second else (second, first, 1.0 - preferred)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise ValueError("'scores' holds something that is not a number")
    return float(value)
