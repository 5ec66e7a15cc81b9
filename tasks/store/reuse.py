"""Answers of earlier batches: an equal request to the same model need not be called again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from tasks.store import batches, ledger
from tasks.store.batch_options import BatchOptions
from tasks.store.bulk import batched_ids
from tasks.store.engine import now_ms
from tasks.store.ids import LINE_BITS, SUCCEEDED
from tasks.store.tables import attempt, batch, outcome, request
from tasks.store.values import HeldChunk, HeldRequest, RequestResult, Settlement

#: that a provider's filter has cut a reply, as it stands in a body of chat completions or of responses
_FILTERED = ('"finish_reason":"content_filter"', '"reason":"content_filter"')


@dataclass(frozen=True, slots=True)
class EarlierAnswer:
    """An answer that was paid for.

    Attributes:
        request_id: The request that was called.
        batch_id: Its batch.
        custom_id: Its name there.
        cost: What its last call cost, in micro-dollars.
        valid: Whether it fits what its request demands; None if it was not checked.
        validators: Its batch's own validators.
        notes: The remarks on it.
    """

    request_id: int
    batch_id: str
    custom_id: str
    cost: int
    valid: bool | None
    validators: tuple[str, ...]
    notes: dict[str, Any]


def find(
    connection: Connection, held: HeldChunk, model: str, hashes: Sequence[bytes], *, max_age_s: float
) -> dict[bytes, list[EarlierAnswer]]:
    """Return the answers of a model to equal requests of earlier batches of the same owner, the newest first.

    An answer counts only if its call succeeded, its data were not deleted, and the model's name stood for the
    same model then.

    Args:
        connection: An open transaction.
        held: The chunk of the requests that want answers.
        model: The model.
        hashes: What equal requests share (`tasks.formats.requests.request_hash`).
        max_age_s: How old an answer may be.
    """
    rows = [
        row
        for part in batched_ids(hashes)
        for row in connection.execute(_candidates(held, model, part, max_age_s)).mappings()
    ]
    sources = batches.readable_options(connection, {row["no"] for row in rows})
    found: dict[bytes, list[EarlierAnswer]] = {}
    for row in rows:
        if (source := sources.get(row["no"])) is None:
            continue
        is_same = source.deployments.get(model) == held.options.deployments.get(model)
        if is_same and not (row["notes"] or {}).get("without_answer"):
            found.setdefault(bytes(row["body_hash"]), []).append(_answer(row, source))
    return found


def take(connection: Connection, answers: Sequence[tuple[HeldRequest, EarlierAnswer]], *, owner: str) -> None:
    """End requests with these answers, without a call, as far as this worker still holds them."""
    batch_no = answers[0][0].batch_no
    bodies = _bodies(connection, {answer.request_id for _, answer in answers})
    settlements = [
        _settlement(request, answer, bodies[answer.request_id])
        for request, answer in answers
        if answer.request_id in bodies
    ]
    ended = ledger.end_without_call(connection, batch_no, settlements, owner=owner)
    saved = sum(answer.cost for request, answer in answers if request.id in ended)
    batches.count(connection, batch_no, reused=len(ended), saved=saved)


def _candidates(held: HeldChunk, model: str, hashes: Sequence[bytes], max_age_s: float) -> Any:
    # One request of each batch is enough: without it, a batch of equal requests would be read as a whole.
    source_no = request.c.id // (1 << LINE_BITS)
    equal = (
        select(request.c.body_hash, func.max(request.c.id).label("id"))
        .where(
            request.c.body_hash.in_(hashes),
            request.c.model == model,
            request.c.state == SUCCEEDED,
            request.c.duplicate_of.is_(None),
        )
        .group_by(request.c.body_hash, source_no)
        .subquery()
    )
    own = batch.alias()
    owner = select(own.c.owner).where(own.c.no == held.batch_no).scalar_subquery()
    own_call = (attempt.c.request_id == outcome.c.request_id) & (attempt.c.number == outcome.c.attempts)
    return (
        select(
            equal.c.body_hash,
            equal.c.id,
            outcome.c.notes,
            attempt.c.cost,
            batch.c.no,
            batch.c.id.label("batch_id"),
            request.c.custom_id,
        )
        .join(outcome, outcome.c.request_id == equal.c.id)
        .join(attempt, own_call)
        .join(request, request.c.id == equal.c.id)
        .join(batch, batch.c.no == outcome.c.batch_no)
        .where(
            outcome.c.body.is_not(None),
            *(~outcome.c.body.contains(cut, autoescape=True) for cut in _FILTERED),
            outcome.c.model == model,
            attempt.c.state == "succeeded",
            attempt.c.error_code.is_(None),
            attempt.c.sent_at >= now_ms() - int(max_age_s * 1000),
            batch.c.no != held.batch_no,
            batch.c.owner.is_not_distinct_from(owner),
            batch.c.data_deleted_at.is_(None),
        )
        .order_by(attempt.c.sent_at.desc())
    )


def _bodies(connection: Connection, request_ids: Collection[int]) -> dict[int, str]:
    """Return the replies to these requests, as far as they have not been deleted meanwhile."""
    query = (
        select(outcome.c.request_id, outcome.c.body)
        .join(batch, batch.c.no == outcome.c.batch_no)
        .where(outcome.c.request_id.in_(request_ids), outcome.c.body.is_not(None))
        .where(batch.c.data_deleted_at.is_(None))
    )
    return dict(connection.execute(query).all())


def _answer(row: Any, source: BatchOptions) -> EarlierAnswer:
    notes = row["notes"] or {}
    return EarlierAnswer(
        request_id=row["id"],
        batch_id=row["batch_id"],
        custom_id=row["custom_id"],
        cost=row["cost"],
        valid=notes.get("valid"),
        validators=source.validators,
        notes=notes,
    )


def _settlement(held: HeldRequest, answer: EarlierAnswer, body: str) -> Settlement:
    reused_from = {"batch": answer.batch_id, "custom_id": answer.custom_id}
    result = RequestResult(
        "succeeded",
        model=held.model,
        body=body,
        status_code=200,
        notes={**answer.notes, "reused_from": reused_from, "saved_usd": answer.cost / 1_000_000},
    )
    return Settlement(batch_no=held.batch_no, chunk_id=held.chunk_id, request_id=held.id, next=result)
