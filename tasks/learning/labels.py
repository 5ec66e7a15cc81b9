"""Labels: labelled prompts from the judgements of judges and people, and the import of people's labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

from router_core.compression import COMPRESSION_ERRORS
from router_core.data.label_checks.checks import LabelChecks
from router_core.data.labelled_prompts import LabelledPrompt
from router_core.data.prompt_hash import prompt_hash
from router_core.judging.dawid_skene import robust_pair_scores
from router_core.judging.judge_quality import QualityReport, assess_judges
from router_core.judging.scores import mean_pair_scores, prompt_scores, with_checks
from router_core.judging.verdicts import Judgement
from tasks.endpoints.registry import stored_prompt
from tasks.errors import UsageError
from tasks.formats.errors import FormatError, LineRejected
from tasks.formats.inputs.file import InputFile, numbered_lines, open_input
from tasks.formats.requests import InputLimits
from tasks.settings import Settings
from tasks.store import batches
from tasks.store.engine import Store
from tasks.store.learning import answer_checks, human_labels, labels
from tasks.store.learning.human_labels import HumanPreference

_SLICE = 1_000
#: the value of the first model in a pair, by winner
_VALUE_OF_FIRST = {"first": 1.0, "second": 0.0, "tie": 0.5}


def export(
    store: Store, batch_ids: Sequence[str] = (), *, robust: bool = True, checks: bool = False
) -> Iterator[LabelledPrompt]:
    """Yield every judged prompt with the score of each model's answer.

    A score is between 0 and 1; 0.5 is the average answer to that prompt.

    Args:
        batch_ids: The collecting batches. By default all, and the prompts that only people have judged.
        robust: Weigh the judges by their estimated reliability (Dawid-Skene); else average their verdicts.
        checks: Let an answer that fits what its request demands beat every one that does not.

    Raises:
        UnknownBatch: A batch id is not in the store.
    """
    return (prompt for _, prompt in export_with_times(store, batch_ids, robust=robust, checks=checks))


def export_with_times(
    store: Store, batch_ids: Sequence[str] = (), *, robust: bool = True, checks: bool = False
) -> Iterator[tuple[int, LabelledPrompt]]:
    """Yield what `export` does, each prompt with the time at which it was sampled, in ms since 1970."""
    batch_nos = _batch_nos(store, batch_ids)
    with store.read() as connection:
        judgements = labels.judgements(connection, batch_nos)
        values = robust_pair_scores(judgements) if robust else mean_pair_scores(judgements)
        fits = answer_checks.of_samples(connection, batch_nos) if checks else {}
        for row in labels.prompts(connection, batch_nos):
            known = with_checks(values.get(row.key, {}), fits.get(row.key, {}))
            if known:
                yield row.created_at, _labelled(row, prompt_scores(known))


def checked(store: Store, batch_ids: Sequence[str] = ()) -> Iterator[LabelledPrompt]:
    """Yield the prompts whose answers were checked; a model's score is the share of its answers that fit.

    Args:
        batch_ids: The batches, by default all.

    Raises:
        UnknownBatch: A batch id is not in the store.
    """
    batch_nos = _batch_nos(store, batch_ids)
    with store.read() as connection:
        for row in answer_checks.checked_prompts(connection, batch_nos):
            prompt = stored_prompt(row.endpoint, row.body)
            if prompt:
                yield LabelledPrompt(row.custom_id, prompt, row.category, None, row.shares, row.costs)


def _labelled(row: labels.PromptRow, scores: Mapping[str, float]) -> LabelledPrompt:
    return LabelledPrompt(
        id=row.custom_id,
        prompt=row.prompt or stored_prompt(row.endpoint, row.body or ""),
        category=row.category,
        task=None,
        scores=scores,
        costs={model: row.costs[model] for model in scores if model in row.costs} or None,
        tokens={model: row.tokens[model] for model in scores if model in row.tokens} or None,
    )


def row_of(labelled: LabelledPrompt) -> dict[str, Any]:
    """Return the JSON object of a labelled prompt, without the fields that are unknown."""
    row: dict[str, Any] = {"id": labelled.id, "prompt": labelled.prompt, "category": labelled.category}
    row["scores"] = {model: round(score, 6) for model, score in labelled.scores.items()}
    row["costs"] = dict(labelled.costs) if labelled.costs else None
    row["tokens"] = dict(labelled.tokens) if labelled.tokens else None
    return {name: value for name, value in row.items() if value is not None}


def quality(store: Store, settings: Settings, batch_ids: Sequence[str] = ()) -> QualityReport:
    """Return a report on the reliability of each judge; raises UnknownBatch."""
    batch_nos = _batch_nos(store, batch_ids)
    with store.read() as connection:
        judgements = labels.judgements(connection, batch_nos)
        invalid_replies = labels.invalid_replies(connection, batch_nos)
    report = assess_judges(judgements, families=settings.families, invalid_replies=invalid_replies)
    return replace(report, warnings=tuple(_doubtful_models(judgements, settings)))


def _doubtful_models(judgements: Sequence[Judgement], settings: Settings) -> Iterator[str]:
    """Yield a sentence for each model whose name is probably misspelt in people's labels."""
    checks = LabelChecks()
    for one in judgements:
        checks.add_models(one.pair, f"judged by {one.judge}")
    return checks.warnings(known=[model.name for model in settings.models])


def import_human(
    store: Store,
    file: Path,
    *,
    annotator: str,
    on_error: Callable[[int, str], None],
    checks: LabelChecks | None = None,
) -> tuple[int, int]:
    """Import people's labels from a JSON Lines file (see docs/formats.md).

    Args:
        annotator: The name of the person for lines that name none.
        on_error: Called with the line number and the reason for each line that cannot be read; the others are
            imported.
        checks: Takes in each line that is imported.

    Returns:
        The number of labels read, and how many of them are new or changed.

    Raises:
        UsageError: The file cannot be read.
    """
    read = new = 0
    part: list[HumanPreference] = []
    for preferences in _preferences(file, annotator, on_error, checks):
        part += preferences
        read += len(preferences)
        if len(part) >= _SLICE:
            new, part = new + _add(store, part), []
    return read, new + _add(store, part)


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


def _batch_nos(store: Store, batch_ids: Sequence[str]) -> list[int] | None:
    if not batch_ids:
        return None
    with store.read() as connection:
        return [batches.find(connection, batch_id)["no"] for batch_id in batch_ids]


def _add(store: Store, preferences: Sequence[HumanPreference]) -> int:
    with store.write() as connection:
        return human_labels.add(connection, preferences)


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
