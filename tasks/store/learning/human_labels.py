"""What people said of answers: stored by the prompt's hash, so that the prompt need not be in any batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select, tuple_

from router_core.judging.verdicts import HUMAN, Judgement, Pair, Verdict
from tasks.store.engine import now_ms
from tasks.store.learning.tables import human_label, human_prompt, sampled_prompt
from tasks.store.outcomes import batched_ids, insert_ignoring

#: the characters of an answer, by sampled prompt and model
Lengths = Mapping[tuple[int, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanPreference:
    """What one person said of two answers: `value` is what `pair[0]` gets, 1, 0.5 or 0."""

    prompt: str
    prompt_hash: str
    pair: Pair
    value: float
    annotator: str
    custom_id: str | None = None
    category: str | None = None


def add(connection: Connection, views: Sequence[HumanPreference]) -> int:
    """Store what people said; who says something else of the same pair is taken at the last word.

    Returns how many labels are new or changed.
    """
    latest = {(v.prompt_hash, *v.pair, v.annotator): v for v in views}
    known = _human_values(connection, list(latest))
    changed = {key: v for key, v in latest.items() if known.get(key) != v.value}
    prompt_rows = {
        v.prompt_hash: {
            "prompt_hash": v.prompt_hash, "prompt": v.prompt, "custom_id": v.custom_id, "category": v.category
        }
        for v in changed.values()
    }  # fmt: skip
    names = ("prompt_hash", "first", "second", "annotator")
    created_at = connection.execute(select(now_ms())).scalar_one()
    rows = [
        {**dict(zip(names, key, strict=True)), "value": v.value, "created_at": created_at}
        for key, v in changed.items()
    ]
    for part in batched_ids(list(changed)):
        connection.execute(human_label.delete().where(_human_key().in_(part)))
    if rows:
        connection.execute(insert_ignoring(connection, human_prompt), list(prompt_rows.values()))
        connection.execute(insert(human_label), rows)
    return len(rows)


def judgements(
    connection: Connection, keys: Mapping[str, Sequence[int]], lengths: Lengths, *, alone: bool
) -> Iterator[Judgement]:
    """Yield what people said, several of them heard as one: what most of them said.

    keys: the sampled prompts by hash. alone: with prompts that no batch has sampled, filed under their hash.
    """
    query = select(human_label.c.prompt_hash, human_label.c.first, human_label.c.second, human_label.c.value)
    said: defaultdict[tuple[str, Pair], list[float]] = defaultdict(list)
    for hashed, first, second, value in connection.execute(query):
        said[hashed, (first, second)].append(value)
    for (hashed, pair), values in said.items():
        orders = _ORDERS[(sum(values) > len(values) / 2) - (sum(values) < len(values) / 2)]
        for key in keys.get(hashed, ()):
            yield Judgement(key, HUMAN, pair, *orders, longer_side(key, pair, lengths))
        if alone and hashed not in keys:
            yield Judgement(hashed, HUMAN, pair, *orders)


def unsampled_prompts(connection: Connection) -> list[Mapping[str, Any]]:
    """Return the prompts that people judged and no batch has sampled, with the time of their first label."""
    query = (
        select(human_prompt, func.min(human_label.c.created_at).label("created_at"))
        .join(human_label, human_label.c.prompt_hash == human_prompt.c.prompt_hash)
        .where(human_prompt.c.prompt_hash.not_in(select(sampled_prompt.c.prompt_hash)))
        .group_by(*human_prompt.c)
        .order_by(human_prompt.c.prompt_hash)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def longer_side(prompt_id: int, pair: Pair, lengths: Lengths) -> int:
    """Return which answer of the pair is the longer: 1, -1, or 0 where they are alike or unknown."""
    mine, theirs = (lengths.get((prompt_id, model), 0) for model in pair)
    return (mine > theirs) - (mine < theirs)


_ORDERS = {
    1: (Verdict.FIRST, Verdict.SECOND),
    0: (Verdict.TIE, Verdict.TIE),
    -1: (Verdict.SECOND, Verdict.FIRST),
}


def _human_key() -> Any:
    return tuple_(
        human_label.c.prompt_hash, human_label.c.first, human_label.c.second, human_label.c.annotator
    )


def _human_values(connection: Connection, keys: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], float]:
    found: dict[tuple[str, ...], float] = {}
    for part in batched_ids(keys, 2_000):
        for row in connection.execute(select(human_label).where(_human_key().in_(part))):
            found[row.prompt_hash, row.first, row.second, row.annotator] = row.value
    return found
