"""The judgements of answers, from judges' verdicts and people's labels, and the judged prompts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select, true

from router_core.judging.agreement import Proportion
from router_core.judging.verdicts import Judgement, Pair, Verdict, pair_of
from router_core.pricing import MICROS_PER_DOLLAR
from tasks.endpoints.endpoint import CHAT_PATH
from tasks.store.deletion import has_prompt
from tasks.store.learning import human_labels, samples
from tasks.store.learning.human_labels import AnswerLengths, longer_side
from tasks.store.learning.tables import sampled_answer, sampled_prompt, verdict
from tasks.store.tables import attempt, outcome, request

#: the verdict of a call that failed, so that there is no reply
UNANSWERED = "unanswered"
_USABLE = (Verdict.FIRST, Verdict.SECOND, Verdict.TIE)
_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRow:
    """A prompt that may have labels.

    Attributes:
        key: The id of a sampled prompt; the hash of a prompt that only people have judged.
        custom_id: The prompt's id in its batch.
        prompt_hash: `router_core.data.splits.prompt_hash`.
        body: The body of a request with the prompt; None if only people have judged it.
        prompt: The prompt's text if only people have judged it.
        category: The category, if known.
        costs: The cost of each model's answer, in dollars.
        tokens: Its length in tokens, where the provider told it.
        created_at: When it was sampled or first labelled, ms since 1970.
        endpoint: The path of the API that the body is for.
    """

    key: int | str
    custom_id: str
    prompt_hash: str
    body: str | None
    prompt: str | None
    category: str | None
    costs: Mapping[str, float]
    tokens: Mapping[str, float]
    created_at: int
    endpoint: str = CHAT_PATH


def judgements(connection: Connection, batch_nos: Sequence[int] | None = None) -> list[Judgement]:
    """Return the judgements of judges and people, ordered by prompt, pair and judge.

    A judgement's prompt is the id of a sampled prompt, or the hash of one that only people have judged.

    Args:
        connection: An open transaction.
        batch_nos: The collecting batches. By default all, and the prompts that only people have judged.
    """
    lengths = _lengths(connection, batch_nos)
    found = [
        *_judge_judgements(connection, batch_nos, lengths),
        *human_labels.judgements(
            connection, _keys(connection, batch_nos), lengths, include_unsampled=batch_nos is None
        ),
    ]
    return sorted(found, key=lambda one: (str(one.prompt), one.pair, one.judge))


def invalid_replies(connection: Connection, batch_nos: Sequence[int] | None = None) -> dict[str, Proportion]:
    """Return the share of invalid replies by judge; each repeated call counts."""
    query = (
        select(verdict.c.judge, verdict.c.verdict, func.count())
        .join(sampled_prompt, sampled_prompt.c.id == verdict.c.prompt_id)
        .where(_within(batch_nos), verdict.c.verdict.in_([*_USABLE, Verdict.NONE]))
        .where(verdict.c.request_id.is_not(None))
        .group_by(verdict.c.judge, verdict.c.verdict)
    )
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for judge, found, number in connection.execute(query):
        counts[judge][0] += number if found == Verdict.NONE else 0
        counts[judge][1] += number
    return {judge: Proportion(invalid, total) for judge, (invalid, total) in counts.items()}


def prompts(connection: Connection, batch_nos: Sequence[int] | None = None) -> Iterator[PromptRow]:
    """Yield the sampled prompts in order, and with all batches those that only people have judged.

    It reads page by page, so that memory stays constant.
    """
    after = 0
    query = (
        select(sampled_prompt, request.c.body, request.c.endpoint)
        .join(request, request.c.id == sampled_prompt.c.request_id)
        .where(_within(batch_nos), has_prompt())
        .order_by(sampled_prompt.c.id)
        .limit(_PAGE)
    )
    while rows := connection.execute(query.where(sampled_prompt.c.id > after)).mappings().all():
        ids = [row["id"] for row in rows]
        costs, tokens = _costs(connection, ids), _tokens(connection, ids)
        yield from (_sampled_row(row, costs.get(row["id"], {}), tokens.get(row["id"], {})) for row in rows)
        after = rows[-1]["id"]
    if batch_nos is None:
        yield from map(_unsampled_row, human_labels.unsampled_prompts(connection))


def _within(batch_nos: Sequence[int] | None) -> ColumnElement[bool]:
    return true() if batch_nos is None else sampled_prompt.c.batch_no.in_(batch_nos)


def _keys(connection: Connection, batch_nos: Sequence[int] | None) -> dict[str, list[int]]:
    """Return the ids of the sampled prompts by prompt hash."""
    query = select(sampled_prompt.c.prompt_hash, sampled_prompt.c.id).where(_within(batch_nos))
    keys: defaultdict[str, list[int]] = defaultdict(list)
    for hash_, prompt_id in connection.execute(query):
        keys[hash_].append(prompt_id)
    return keys


def _judge_judgements(
    connection: Connection, batch_nos: Sequence[int] | None, lengths: AnswerLengths
) -> Iterator[Judgement]:
    query = (
        select(verdict.c.prompt_id, verdict.c.judge, verdict.c.first, verdict.c.second, verdict.c.verdict)
        .join(sampled_prompt, sampled_prompt.c.id == verdict.c.prompt_id)
        .where(_within(batch_nos), verdict.c.verdict.in_([*_USABLE, Verdict.NONE]))
        .order_by(verdict.c.id)
    )
    # The verdicts of a judge on a pair by order: True where `pair[0]` was shown first.
    by_order: dict[tuple[int, str, Pair], dict[bool, Verdict]] = {}
    for prompt_id, judge, first, second, found in connection.execute(query):
        pair = pair_of(first, second)
        verdicts = by_order.setdefault((prompt_id, judge, pair), {})
        if verdicts.get(first == pair[0]) in (None, Verdict.NONE):
            verdicts[first == pair[0]] = Verdict(found)
    for (prompt_id, judge, pair), verdicts in by_order.items():
        longer = longer_side(prompt_id, pair, lengths)
        yield Judgement(prompt_id, judge, pair, verdicts.get(True), verdicts.get(False), longer)


def _lengths(connection: Connection, batch_nos: Sequence[int] | None) -> AnswerLengths:
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
    costs: dict[int, dict[str, float]] = {}
    for prompt_id, model, cost in connection.execute(query):
        costs.setdefault(prompt_id, {})[model] = cost / MICROS_PER_DOLLAR
    return costs


def _tokens(connection: Connection, prompt_ids: Sequence[int]) -> dict[int, dict[str, float]]:
    query = (
        select(sampled_answer.c.prompt_id, sampled_answer.c.model, attempt.c.completion_tokens)
        .join(outcome, samples.is_answer())
        .join(attempt, attempt.c.request_id == outcome.c.request_id)
        .where(sampled_answer.c.prompt_id.in_(prompt_ids), outcome.c.status == "succeeded")
        .where(attempt.c.model == sampled_answer.c.model, attempt.c.completion_tokens.is_not(None))
        .where(attempt.c.state == "succeeded")
        .order_by(attempt.c.number)
    )
    tokens: dict[int, dict[str, float]] = {}
    for prompt_id, model, number in connection.execute(query):
        tokens.setdefault(prompt_id, {})[model] = number
    return tokens


def _unsampled_row(row: Mapping[str, Any]) -> PromptRow:
    return PromptRow(
        key=row["prompt_hash"],
        custom_id=row["custom_id"] or row["prompt_hash"][:16],
        prompt_hash=row["prompt_hash"],
        body=None,
        prompt=row["prompt"],
        category=row["category"],
        costs={},
        tokens={},
        created_at=row["created_at"],
    )


def _sampled_row(row: RowMapping, costs: Mapping[str, float], tokens: Mapping[str, float]) -> PromptRow:
    return PromptRow(
        key=row["id"],
        custom_id=row["custom_id"],
        prompt_hash=row["prompt_hash"],
        body=row["body"],
        prompt=None,
        category=row["category"],
        costs=costs,
        tokens=tokens,
        created_at=row["created_at"],
        endpoint=row["endpoint"] or CHAT_PATH,
    )
