"""People's labels of answers, stored by the prompt's hash, so that the prompt need not be in any batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, tuple_

from router_core.judging.verdicts import HUMAN, Judgement, Pair, Verdict
from tasks.store.bulk import batched_ids
from tasks.store.engine import now_ms
from tasks.store.learning.tables import human_label, human_prompt, sampled_prompt
from tasks.store.outcomes import insert_ignoring

#: (hash of the prompt, the two models in alphabetical order, annotator)
LabelKey: TypeAlias = tuple[str, str, str, str]
#: the length of an answer in characters, by (sampled prompt, model)
AnswerLengths = Mapping[tuple[int, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanPreference:
    """One person's preference between two answers; `value` is 1 for `pair[0]`, 0.5 for a tie, else 0."""

    prompt: str
    prompt_hash: str
    pair: Pair
    value: float
    annotator: str
    custom_id: str | None = None
    category: str | None = None


def add(connection: Connection, preferences: Sequence[HumanPreference]) -> int:
    """Store people's preferences and return how many are new or changed.

    A person's later preference on the same pair replaces the earlier one.
    """
    new = changed(connection, preferences)
    prompt_rows = {
        one.prompt_hash: {
            "prompt_hash": one.prompt_hash,
            "prompt": one.prompt,
            "custom_id": one.custom_id,
            "category": one.category,
        }
        for one in new.values()
    }
    names = ("prompt_hash", "first", "second", "annotator")
    created_at = connection.execute(select(now_ms())).scalar_one()
    rows = [
        {**dict(zip(names, key, strict=True)), "value": one.value, "created_at": created_at}
        for key, one in new.items()
    ]
    for part in batched_ids(list(new)):
        connection.execute(human_label.delete().where(_label_key().in_(part)))
    if rows:
        connection.execute(insert_ignoring(connection, human_prompt), list(prompt_rows.values()))
        connection.execute(insert(human_label), rows)
    return len(rows)


def changed(
    connection: Connection,
    preferences: Sequence[HumanPreference],
    given: Mapping[LabelKey, float] = MappingProxyType({}),
) -> dict[LabelKey, HumanPreference]:
    """Return the latest of these preferences on each pair, if the store does not hold it with this value.

    Args:
        connection: An open transaction.
        preferences: The preferences.
        given: Values that count as stored already.
    """
    latest = {_key(one): one for one in preferences}
    values = {
        **_stored_values(connection, list(latest)),
        **{key: given[key] for key in latest if key in given},
    }
    return {key: one for key, one in latest.items() if values.get(key) != one.value}


def stored(connection: Connection, preferences: Sequence[HumanPreference]) -> list[LabelKey]:
    """Return the keys of those of these preferences that the store holds with the same value."""
    latest = {_key(one): one for one in preferences}
    values = _stored_values(connection, list(latest))
    return [key for key, one in latest.items() if values.get(key) == one.value]


def delete_keys(connection: Connection, keys: Sequence[LabelKey]) -> None:
    """Delete labels, and the prompts that have none left."""
    for part in batched_ids(keys):
        connection.execute(delete(human_label).where(_label_key().in_(part)))
    _delete_unlabelled(connection)


def count_of(connection: Connection, *, annotator: str | None = None, model: str | None = None) -> int:
    """Return the number of labels of this person, of those that compare this model, or of both."""
    query = select(func.count()).select_from(human_label).where(*_of(annotator, model))
    return connection.execute(query).scalar_one()


def delete_of(connection: Connection, *, annotator: str | None = None, model: str | None = None) -> None:
    """Delete the labels that `count_of` counts, and the prompts that have none left."""
    connection.execute(delete(human_label).where(*_of(annotator, model)))
    _delete_unlabelled(connection)


def _of(annotator: str | None, model: str | None) -> list[ColumnElement[bool]]:
    by = [] if annotator is None else [human_label.c.annotator == annotator]
    return by if model is None else [*by, (human_label.c.first == model) | (human_label.c.second == model)]


def _delete_unlabelled(connection: Connection) -> None:
    labelled = select(human_label.c.prompt_hash)
    connection.execute(delete(human_prompt).where(human_prompt.c.prompt_hash.not_in(labelled)))


def judgements(
    connection: Connection,
    keys: Mapping[str, Sequence[int]],
    lengths: AnswerLengths,
    *,
    include_unsampled: bool,
) -> Iterator[Judgement]:
    """Yield one judgement for each labelled pair: the majority of the people, as one annotator.

    Args:
        connection: An open transaction.
        keys: The ids of the sampled prompts by prompt hash.
        lengths: The lengths of the answers.
        include_unsampled: Whether to include prompts that no batch has sampled, identified by their hash.
    """
    query = select(human_label.c.prompt_hash, human_label.c.first, human_label.c.second, human_label.c.value)
    values_of: defaultdict[tuple[str, Pair], list[float]] = defaultdict(list)
    for hash_, first, second, value in connection.execute(query):
        values_of[hash_, (first, second)].append(value)
    for (hash_, pair), values in values_of.items():
        majority = (sum(values) > len(values) / 2) - (sum(values) < len(values) / 2)
        verdicts = _VERDICTS_OF_MAJORITY[majority]
        for key in keys.get(hash_, ()):
            yield Judgement(key, HUMAN, pair, *verdicts, longer_side(key, pair, lengths))
        if include_unsampled and hash_ not in keys:
            yield Judgement(hash_, HUMAN, pair, *verdicts)


def unsampled_prompts(connection: Connection) -> list[Mapping[str, Any]]:
    """Return the prompts that only people have judged, with the time of their first label."""
    query = (
        select(human_prompt, func.min(human_label.c.created_at).label("created_at"))
        .join(human_label, human_label.c.prompt_hash == human_prompt.c.prompt_hash)
        .where(human_prompt.c.prompt_hash.not_in(select(sampled_prompt.c.prompt_hash)))
        .group_by(*human_prompt.c)
        .order_by(human_prompt.c.prompt_hash)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def longer_side(prompt_id: int, pair: Pair, lengths: AnswerLengths) -> int:
    """Return 1 if the answer of `pair[0]` is longer, -1 if that of `pair[1]` is, 0 if equal or unknown."""
    first, second = (lengths.get((prompt_id, model), 0) for model in pair)
    return (first > second) - (first < second)


#: the verdicts in both orders (`pair[0]` shown first, `pair[1]` shown first) by the sign of the majority
_VERDICTS_OF_MAJORITY = {
    1: (Verdict.FIRST, Verdict.SECOND),
    0: (Verdict.TIE, Verdict.TIE),
    -1: (Verdict.SECOND, Verdict.FIRST),
}


def _key(one: HumanPreference) -> LabelKey:
    return (one.prompt_hash, *one.pair, one.annotator)


def _label_key() -> Any:
    return tuple_(
        human_label.c.prompt_hash, human_label.c.first, human_label.c.second, human_label.c.annotator
    )


def _stored_values(connection: Connection, keys: Sequence[LabelKey]) -> dict[LabelKey, float]:
    values: dict[LabelKey, float] = {}
    for part in batched_ids(keys, 2_000):
        for row in connection.execute(select(human_label).where(_label_key().in_(part))):
            values[row.prompt_hash, row.first, row.second, row.annotator] = row.value
    return values
