"""Labels: what judges and people said becomes labelled prompts, and people's labels are taken in."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from router_core.data.labelled_prompts import LabelledPrompt
from router_core.data.splits import prompt_hash
from router_core.judging.dawid_skene import robust_pair_scores
from router_core.judging.judge_quality import QualityReport, assess_judges
from router_core.judging.scores import mean_pair_scores, prompt_scores
from tasks.errors import UsageError
from tasks.formats.errors import FormatError, LineRejected
from tasks.formats.inputs.file import InputFile, numbered_lines, open_input
from tasks.formats.inputs.messages import prompt_of
from tasks.formats.requests import InputLimits
from tasks.settings import Settings
from tasks.store import batches
from tasks.store.engine import Store
from tasks.store.learning import human_labels, labels
from tasks.store.learning.human_labels import HumanPreference

_SLICE = 1_000
_WINNERS = {"first": 1.0, "second": 0.0, "tie": 0.5}


def export(store: Store, batch_ids: Sequence[str] = (), *, robust: bool = True) -> Iterator[LabelledPrompt]:
    """Return every prompt that somebody judged, with the score of each model's answer.

    batch_ids: the collecting batches, all (and what people alone judged) by default. robust: judges are
    weighed by how reliable they are, all together; else their verdicts are averaged.
    A score is 0 to 1, 0.5 being an average answer to that prompt. Raises UnknownBatch.
    """
    return (one for _, one in export_with_times(store, batch_ids, robust=robust))


def export_with_times(
    store: Store, batch_ids: Sequence[str] = (), *, robust: bool = True
) -> Iterator[tuple[int, LabelledPrompt]]:
    """Yield the same, each with the time it was sampled, ms since 1970."""
    numbers = _numbers(store, batch_ids)
    with store.read() as connection:
        judged = labels.judgements(connection, numbers)
        values = robust_pair_scores(judged) if robust else mean_pair_scores(judged)
        for row in labels.prompts(connection, numbers):
            if row.key in values:
                found = prompt_scores(values[row.key])
                yield (
                    row.created_at,
                    LabelledPrompt(
                        id=row.custom_id,
                        prompt=row.prompt or prompt_of(json.loads(row.body or "")["messages"]),
                        category=row.category,
                        task=None,
                        scores=found,
                        costs={model: row.costs[model] for model in found if model in row.costs} or None,
                    ),
                )


def row_of(one: LabelledPrompt) -> dict[str, Any]:
    """Return the line of JSON that stands for a labelled prompt; what is unknown is left out."""
    row: dict[str, Any] = {"id": one.id, "prompt": one.prompt, "category": one.category}
    row["scores"] = {model: round(score, 6) for model, score in one.scores.items()}
    row["costs"] = dict(one.costs) if one.costs else None
    return {name: value for name, value in row.items() if value is not None}


def quality(store: Store, settings: Settings, batch_ids: Sequence[str] = ()) -> QualityReport:
    """Return how far each judge can be trusted; raises UnknownBatch."""
    numbers = _numbers(store, batch_ids)
    with store.read() as connection:
        judged = labels.judgements(connection, numbers)
        garbled = labels.replies(connection, numbers)
    return assess_judges(judged, families=settings.families, invalid_replies=garbled)


def import_human(
    store: Store, file: Path, *, annotator: str, on_error: Callable[[int, str], None]
) -> tuple[int, int]:
    """Take in what people said, a line of JSON each; see docs/formats.md. Returns labels read, and new ones.

    on_error is told the line and the reason of each line that cannot be read; the others are taken in.

    Raises:
        UsageError: The file cannot be read.
    """
    read = new = 0
    part: list[HumanPreference] = []
    for views in _views(file, annotator, on_error):
        part += views
        read += len(views)
        if len(part) >= _SLICE:
            new, part = new + _add(store, part), []
    return read, new + _add(store, part)


def views_of(row: object, *, annotator: str) -> list[HumanPreference]:
    """Return the labels in one line: scores, each pair of them one, or a preference; ValueError with the reason."""
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
    found = _from_scores(row["scores"]) if "scores" in row else [_from_preference(row["preference"])]
    return [HumanPreference(pair=(first, second), value=value, **common) for first, second, value in found]


def _numbers(store: Store, batch_ids: Sequence[str]) -> list[int] | None:
    if not batch_ids:
        return None
    with store.read() as connection:
        return [batches.find(connection, batch_id)["no"] for batch_id in batch_ids]


def _add(store: Store, views: Sequence[HumanPreference]) -> int:
    with store.write() as connection:
        return human_labels.add(connection, views)


def _views(
    file: Path, annotator: str, on_error: Callable[[int, str], None]
) -> Iterator[list[HumanPreference]]:
    for line, raw in _lines(file):
        if isinstance(raw, LineRejected):
            on_error(line, raw.reason)
            continue
        try:
            yield views_of(json.loads(raw), annotator=annotator)
        except (ValueError, RecursionError) as error:
            # A JSON error's text is harmless; others might quote the line.
            shown = isinstance(error, json.JSONDecodeError | UnicodeDecodeError | RecursionError)
            on_error(line, "not JSON" if shown else str(error))


def _lines(file: Path) -> Iterator[tuple[int, bytes | LineRejected]]:
    try:
        with open_input(file) as stream:
            numbered = numbered_lines(InputFile(file, stream, InputLimits(), skip_lines=0))
            yield from ((line, raw) for line, raw in numbered if isinstance(raw, LineRejected) or raw.strip())
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{file}: cannot be read: {type(error).__name__}") from None
    except FormatError as error:
        raise UsageError(str(error)) from None


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key!r} must be a non-empty string")
    return value


def _from_scores(values: object) -> Iterable[tuple[str, str, float]]:
    """Scores of any scale become preferences: labels of different people and judges share one scale then."""
    if not isinstance(values, dict) or len(values) < 2:
        raise ValueError("'scores' must be an object of at least two models' numbers")
    numbers = {model: _number(value) for model, value in values.items()}
    for first, second in combinations(sorted(numbers), 2):
        mine, theirs = numbers[first], numbers[second]
        yield first, second, 0.5 + ((mine > theirs) - (mine < theirs)) / 2


def _from_preference(value: object) -> tuple[str, str, float]:
    if not isinstance(value, dict):
        raise ValueError("'preference' must be an object")
    first, second = _text(value, "first"), _text(value, "second")
    winner = value.get("winner")
    if first == second or winner not in _WINNERS:
        raise ValueError("'preference' needs two different models and a winner: first, second or tie")
    gets = _WINNERS[winner]
    return (first, second, gets) if first < second else (second, first, 1.0 - gets)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise ValueError("'scores' holds something that is not a number")
    return float(value)
