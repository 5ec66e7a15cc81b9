"""Sampled prompts and their answers, which earlier batches have paid for or the collecting batch buys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, insert, select

from router_core.data.prompt_hash import prompt_hash
from tasks.formats.requests import ParsedRequest, request_hash
from tasks.store.bulk import batched_ids
from tasks.store.engine import now_ms
from tasks.store.ids import ids_of, request_id
from tasks.store.learning.tables import sampled_answer, sampled_prompt
from tasks.store.tables import batch, decision, outcome, request

COLLECT = "collect"
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Sample:
    """A prompt to sample; `paid_answers` has the request id of each existing answer, by model."""

    parsed: ParsedRequest
    category: str | None
    paid_answers: Mapping[str, int]


def paid_answers(
    connection: Connection, wanted: Sequence[ParsedRequest], models: Sequence[str]
) -> list[dict[str, list[int]]]:
    """Return, for each request, the equal requests of any batch that these models have answered.

    Of several answers of a model, those of the newest batch come first.

    Args:
        connection: An open transaction.
        wanted: n requests; the models that they name do not count.
        models: The models.

    Returns:
        n dicts from model to request ids.
    """
    indexes_of = _identities(wanted, models)
    answers: list[dict[str, list[int]]] = [{} for _ in wanted]
    numbers = select(batch.c.no).where(batch.c.purpose.in_(("answer", COLLECT))).order_by(batch.c.no.desc())
    for batch_no in list(connection.execute(numbers).scalars()):
        for row in _answered(connection, batch_no, list(indexes_of), models):
            for index in indexes_of[bytes(row.body_hash)]:
                answers[index].setdefault(row.model, []).append(row.id)
    return answers


def add(
    connection: Connection, batch_no: int, samples: Sequence[Sample], bought: Mapping[tuple[int, str], int]
) -> None:
    """Store sampled prompts with their answers.

    Args:
        connection: A transaction that writes.
        batch_no: The collecting batch.
        samples: The sampled prompts.
        bought: The answers that the collecting batch buys: (index of the sample, model) -> line of the batch.
    """
    if not samples:
        return
    bought_by: dict[int, dict[str, int]] = {}
    for (index, model), line in bought.items():
        bought_by.setdefault(index, {})[model] = request_id(batch_no, line)
    answers = [{**sample.paid_answers, **bought_by.get(index, {})} for index, sample in enumerate(samples)]
    created_at = connection.execute(select(now_ms())).scalar_one()
    rows = [
        {
            "batch_no": batch_no,
            "custom_id": sample.parsed.custom_id,
            "prompt_hash": prompt_hash(sample.parsed.prompt),
            "category": sample.category,
            "request_id": min(requests.values()),
            "created_at": created_at,
        }
        for sample, requests in zip(samples, answers, strict=True)
    ]
    statement = insert(sampled_prompt).returning(sampled_prompt.c.id, sort_by_parameter_order=True)
    ids = [int(row.id) for row in connection.execute(statement, rows)]
    pairs = zip(ids, answers, strict=True)
    connection.execute(
        insert(sampled_answer),
        [
            {"prompt_id": prompt_id, "model": model, "request_id": answer}
            for prompt_id, requests in pairs
            for model, answer in requests.items()
        ],
    )


def is_answer() -> ColumnElement[bool]:
    """Return the condition that joins outcomes to sampled answers.

    A request that another model answered as a fallback is not an answer of the sample.
    """
    same_request = outcome.c.request_id == sampled_answer.c.request_id
    return same_request & (outcome.c.model == sampled_answer.c.model)


def prompts_of_batch(connection: Connection, batch_no: int) -> Iterator[tuple[RowMapping, str | None]]:
    """Yield each request of a batch except duplicates, with its category; it reads page by page."""
    after, last = ids_of(batch_no)
    query = (
        select(request, decision.c.category)
        .outerjoin(decision, decision.c.request_id == request.c.id)
        .where(request.c.duplicate_of.is_(None))
        .order_by(request.c.id)
        .limit(_PAGE)
    )
    while rows := connection.execute(query.where(request.c.id.between(after, last))).mappings().all():
        for row in rows:
            yield row, row["category"]
        after = rows[-1]["id"] + 1


def _identities(wanted: Sequence[ParsedRequest], models: Iterable[str]) -> dict[bytes, list[int]]:
    """Return the indexes of the requests by the hashes that such requests are stored with.

    The hash depends on the model that a request names, if any.
    """
    indexes_of: dict[bytes, list[int]] = {}
    names = ["", *models]
    for index, one in enumerate(wanted):
        for name in names:
            indexes_of.setdefault(request_hash(name, one.body, one.endpoint), []).append(index)
    return indexes_of


def _answered(
    connection: Connection, batch_no: int, hashes: Sequence[bytes], models: Sequence[str]
) -> Iterator[Any]:
    for part in batched_ids(hashes):
        query = (
            select(request.c.body_hash, request.c.id, outcome.c.model)
            .join(outcome, outcome.c.request_id == request.c.id)
            .where(
                request.c.batch_no == batch_no,
                request.c.duplicate_of.is_(None),
                request.c.body_hash.in_(part),
                outcome.c.status == "succeeded",
                outcome.c.body.is_not(None),
                # An answer that was taken from an earlier batch has no price; that batch has it as well.
                outcome.c.attempts > 0,
                outcome.c.model.in_(models),
            )
        )
        yield from connection.execute(query)
