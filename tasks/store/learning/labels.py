"""What is known of answers: the judges' verdicts and people's labels, as judgements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select, true

from router_core.judging.agreement import Proportion
from router_core.judging.verdicts import Judgement, Pair, Verdict, pair_of
from router_core.pricing import MICROS_PER_DOLLAR
from tasks.store.learning import human_labels, samples
from tasks.store.learning.human_labels import Lengths, longer_side
from tasks.store.learning.tables import sampled_answer, sampled_prompt, verdict
from tasks.store.tables import outcome, request

#: a call that failed: no reply, so no verdict either
UNANSWERED = "unanswered"
_USABLE = (Verdict.FIRST, Verdict.SECOND, Verdict.TIE)
_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRow:
    """A prompt that has labels, with what its answers cost (dollars)."""

    key: int | str
    custom_id: str
    prompt_hash: str
    body: str | None
    prompt: str | None
    category: str | None
    costs: Mapping[str, float]
    created_at: int


def judgements(connection: Connection, batch_nos: Sequence[int] | None = None) -> list[Judgement]:
    """Everything that judges and people said, by sampled prompt (its id), or its hash where people alone did.

    batch_nos: the collecting batches, None for all.
    """
    lengths = _lengths(connection, batch_nos)
    found = [
        *_of_judges(connection, batch_nos, lengths),
        *human_labels.judgements(connection, _keys(connection, batch_nos), lengths, alone=batch_nos is None),
    ]
    return sorted(found, key=lambda one: (str(one.prompt), one.pair, one.judge))


def replies(connection: Connection, batch_nos: Sequence[int] | None = None) -> dict[str, Proportion]:
    """Return by judge, the share of its replies that could not be used, repeated ones counted each."""
    query = (
        select(verdict.c.judge, verdict.c.verdict, func.count())
        .join(sampled_prompt, sampled_prompt.c.id == verdict.c.prompt_id)
        .where(_within(batch_nos), verdict.c.verdict.in_([*_USABLE, Verdict.NONE]))
        .where(verdict.c.request_id.is_not(None))
        .group_by(verdict.c.judge, verdict.c.verdict)
    )
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for judge, said, number in connection.execute(query):
        counts[judge][0] += number if said == Verdict.NONE else 0
        counts[judge][1] += number
    return {judge: Proportion(garbled, of) for judge, (garbled, of) in counts.items()}


def prompts(connection: Connection, batch_nos: Sequence[int] | None = None) -> Iterator[PromptRow]:
    """Sampled prompts in order, then those that people alone know; a page in memory."""
    after = 0
    query = (
        select(sampled_prompt, request.c.body)
        .join(request, request.c.id == sampled_prompt.c.request_id)
        .where(_within(batch_nos))
        .order_by(sampled_prompt.c.id)
        .limit(_PAGE)
    )
    while rows := connection.execute(query.where(sampled_prompt.c.id > after)).mappings().all():
        costs = _costs(connection, [row["id"] for row in rows])
        yield from (_sampled(row, costs.get(row["id"], {})) for row in rows)
        after = rows[-1]["id"]
    if batch_nos is None:
        yield from map(_human, human_labels.unsampled_prompts(connection))


def _within(batch_nos: Sequence[int] | None) -> ColumnElement[bool]:
    return true() if batch_nos is None else sampled_prompt.c.batch_no.in_(batch_nos)


def _keys(connection: Connection, batch_nos: Sequence[int] | None) -> dict[str, list[int]]:
    """Return the sampled prompts of each text."""
    query = select(sampled_prompt.c.prompt_hash, sampled_prompt.c.id).where(_within(batch_nos))
    found: defaultdict[str, list[int]] = defaultdict(list)
    for hashed, prompt_id in connection.execute(query):
        found[hashed].append(prompt_id)
    return found


def _of_judges(
    connection: Connection, batch_nos: Sequence[int] | None, lengths: Lengths
) -> Iterator[Judgement]:
    query = (
        select(verdict.c.prompt_id, verdict.c.judge, verdict.c.first, verdict.c.second, verdict.c.verdict)
        .join(sampled_prompt, sampled_prompt.c.id == verdict.c.prompt_id)
        .where(_within(batch_nos), verdict.c.verdict.in_([*_USABLE, Verdict.NONE]))
        .order_by(verdict.c.id)
    )
    said: dict[tuple[int, str, Pair], dict[bool, Verdict]] = {}
    for prompt_id, judge, first, second, one in connection.execute(query):
        pair = pair_of(first, second)
        orders = said.setdefault((prompt_id, judge, pair), {})
        if orders.get(first == pair[0]) in (None, Verdict.NONE):
            orders[first == pair[0]] = Verdict(one)
    for (prompt_id, judge, pair), orders in said.items():
        longer = longer_side(prompt_id, pair, lengths)
        yield Judgement(prompt_id, judge, pair, orders.get(True), orders.get(False), longer)


def _lengths(connection: Connection, batch_nos: Sequence[int] | None) -> Lengths:
    query = (
        select(sampled_answer.c.prompt_id, sampled_answer.c.model, sampled_answer.c.characters)
        .join(sampled_prompt, sampled_prompt.c.id == sampled_answer.c.prompt_id)
        .where(_within(batch_nos), sampled_answer.c.characters.is_not(None))
    )
    return {(row.prompt_id, row.model): row.characters for row in connection.execute(query)}


def _costs(connection: Connection, prompt_ids: Sequence[int]) -> dict[int, dict[str, float]]:
    query = (
        select(sampled_answer.c.prompt_id, sampled_answer.c.model, outcome.c.cost)
        .join(outcome, samples.is_answer())
        .where(sampled_answer.c.prompt_id.in_(prompt_ids), outcome.c.status == "succeeded")
    )
    found: dict[int, dict[str, float]] = {}
    for prompt_id, model, cost in connection.execute(query):
        found.setdefault(prompt_id, {})[model] = cost / MICROS_PER_DOLLAR
    return found


def _human(row: Mapping[str, Any]) -> PromptRow:
    return PromptRow(
        key=row["prompt_hash"],
        custom_id=row["custom_id"] or row["prompt_hash"][:16],
        prompt_hash=row["prompt_hash"],
        body=None,
        prompt=row["prompt"],
        category=row["category"],
        costs={},
        created_at=row["created_at"],
    )


def _sampled(row: RowMapping, costs: Mapping[str, float]) -> PromptRow:
    return PromptRow(
        key=row["id"],
        custom_id=row["custom_id"],
        prompt_hash=row["prompt_hash"],
        body=row["body"],
        prompt=None,
        category=row["category"],
        costs=costs,
        created_at=row["created_at"],
    )
