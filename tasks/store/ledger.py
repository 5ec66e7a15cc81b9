"""The ledger of paid calls: settling a call, charging a lost one, and what follows for the requests.

The attempt state `sent` is the fence. Only one transaction can end it: that of the worker that got the
answer, or that of the sweeper after the worker's lease ran out. What is here holds the batch's lock; on
PostgreSQL most calls are settled without it (`tasks.store.unlocked.settling`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, bindparam, select, tuple_, update

from tasks.store import batches, budgets, chunks, forgotten_calls, outcomes, waiting
from tasks.store.engine import now_ms
from tasks.store.ids import SENT
from tasks.store.tables import attempt, chunk, request
from tasks.store.unlocked import deltas
from tasks.store.values import (
    CANCELLED,
    INVALID_ANSWER,
    Call,
    Claim,
    RequestResult,
    Requeue,
    Settlement,
)


def settle(connection: Connection, batch_no: int, settlements: Sequence[Settlement]) -> None:
    """Write the results of these calls, and what follows for their requests.

    A settlement whose attempt is no longer `sent` changes nothing: its worker was given up, the call was
    charged in full, and another worker has the request by now. One whose attempt the store has forgotten is
    entered and settled; if the request is to be sent again, the store knows better where it is by now.
    """
    row = batches.lock(connection, batch_no)
    reserved = sent_attempts(connection, [(s.request_id, s.number) for s in settlements])
    gone = [s for s in settlements if (s.request_id, s.number) not in reserved]
    forgotten = forgotten_calls.enter(connection, row, gone) if gone else []
    reserved |= sent_attempts(connection, [(s.request_id, s.number) for s in forgotten]) if forgotten else {}
    live = _charged_within(connection, row, settlements, reserved)
    _close_attempts(connection, live)
    freed = sum(reserved[s.request_id, s.number] for s in live)
    spent = sum(s.cost or 0 for s in live)
    batches.charge(connection, row, spent=spent, reserved=-freed, **_check_counts(live))
    has_budget = row["budget"] is not None or row["payer_no"] is not None
    kept = {(s.request_id, s.number) for s in forgotten if isinstance(s.next, Requeue)}
    live = [s for s in live if (s.request_id, s.number) not in kept]
    apply_results(connection, batch_no, [*live, *(waiting.wake(connection, batch_no) if has_budget else ())])


_CHUNKS = (
    select(request.c.chunk_id)
    .where(request.c.id.in_(bindparam("ids", expanding=True)), request.c.chunk_id.is_not(None))
    .distinct()
)


def apply_results(connection: Connection, batch_no: int, settlements: Sequence[Settlement]) -> None:
    """Finish requests or queue them again; the caller holds the batch's lock."""
    ids = [settlement.request_id for settlement in settlements]
    chunk_ids = [row.chunk_id for row in connection.execute(_CHUNKS, {"ids": ids})]
    outcomes.finish(connection, batch_no, [s for s in settlements if isinstance(s.next, RequestResult)])
    _requeue(connection, {s.request_id: s.next for s in settlements if isinstance(s.next, Requeue)})
    chunks.close_empty(connection, chunk_ids)
    batches.finish_if_done(connection, batch_no)


def end_without_call(
    connection: Connection, batch_no: int, settlements: Sequence[Settlement], *, owner: str
) -> set[int]:
    """Finish or queue again requests that were not sent, as far as this worker holds them in their chunks.

    Returns:
        The ids of those that it held.
    """
    batches.lock(connection, batch_no)
    held = (
        select(request.c.id, request.c.chunk_id)
        .join(chunk, chunk.c.id == request.c.chunk_id)
        .where(*held_by(owner, [settlement.request_id for settlement in settlements]))
        .where(~select(attempt.c.number).where(*_in_flight(request.c.id)).exists())
    )
    claims = {Claim(row.id, row.chunk_id) for row in connection.execute(held)}
    mine = [one for one in settlements if one.claim in claims]
    apply_results(connection, batch_no, mine)
    return {one.request_id for one in mine}


def charge_lost_calls(connection: Connection, batch_no: int, request_ids: Sequence[int]) -> set[int]:
    """Charge the `sent` attempts of these requests in full: their worker died, the calls' fate is unknown."""
    lost = update(attempt).where(attempt.c.request_id.in_(request_ids), attempt.c.state == SENT)
    charged = lost.values(state="unknown", cost=attempt.c.reserved, error_code="worker_lost")
    rows = connection.execute(charged.returning(attempt.c.request_id, attempt.c.reserved)).all()
    if not rows:
        return set()
    total = sum(row.reserved for row in rows)
    batches.charge(connection, batches.lock(connection, batch_no), spent=total, reserved=-total)
    return {row.request_id for row in rows}


def calls_of(connection: Connection, request_ids: Sequence[int]) -> dict[int, list[Call]]:
    """Return the calls of each request, in order, since it was last reopened by `retry`."""
    query = (
        select(attempt.c.request_id, attempt.c.model, attempt.c.error_code)
        .join(request, request.c.id == attempt.c.request_id)
        .where(attempt.c.request_id.in_(request_ids), attempt.c.number > request.c.attempts_before)
        .order_by(attempt.c.request_id, attempt.c.number)
    )
    made: dict[int, list[Call]] = {request_id: [] for request_id in request_ids}
    for row in connection.execute(query):
        made[row.request_id].append(Call(row.model, row.error_code))
    return made


def _in_flight(request_id: ColumnElement[int]) -> tuple[ColumnElement[bool], ...]:
    return attempt.c.request_id == request_id, attempt.c.state == SENT


def held_by(owner: str, request_ids: Sequence[int]) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions under which a worker holds requests, for a join of request and chunk."""
    return (
        request.c.id.in_(request_ids),
        request.c.state == "held",
        chunk.c.owner == owner,
        chunk.c.state == "claimed",
    )


_SENT_OF = select(attempt.c.request_id, attempt.c.number, attempt.c.reserved).where(
    tuple_(attempt.c.request_id, attempt.c.number).in_(bindparam("keys", expanding=True)),
    attempt.c.state == SENT,
)


def sent_attempts(connection: Connection, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Return what is reserved for attempts that are `sent`, micro-dollars by (request id, number)."""
    return {(i, number): reserved for i, number, reserved in connection.execute(_SENT_OF, {"keys": keys})}


def _charged_within(
    connection: Connection,
    row: RowMapping,
    settlements: Sequence[Settlement],
    reserved: Mapping[tuple[int, int], int],
) -> list[Settlement]:
    """Return the settlements of attempts that are `sent`, with the costs that the budgets have room for."""
    live = [(s, reserved[key]) for s in settlements if (key := (s.request_id, s.number)) in reserved]
    is_above = any(one.is_bill and (one.cost or 0) > worst for one, worst in live)
    room = max(budgets.unreserved(deltas.exact_payers(connection, row)), 0) if is_above else 0
    charged = []
    for settlement, worst in live:
        charged.append(_charged(settlement, worst, room=room, status=row["status"]))
        room -= max((charged[-1].cost or 0) - worst, 0)
    return charged


def _charged(settlement: Settlement, reserved: int, *, room: float, status: str) -> Settlement:
    """Return the settlement with the cost that is charged; a cancelled batch sends nothing again."""
    # Above the worst case, a cost is a misreport, or a bill for what no limit holds for, such as thoughts
    # beside the answer: that is charged as far as the budget has room, which is never exceeded.
    most = reserved + room if settlement.is_bill else reserved
    cost = reserved if settlement.cost is None else int(min(settlement.cost, most))
    cancelled = status == "cancelling" and isinstance(settlement.next, Requeue)
    return replace(settlement, cost=cost, next=CANCELLED if cancelled else settlement.next)


#: what an attempt gets of its settlement
_CALLED = (
    "state",
    "cost",
    "status_code",
    "error_code",
    "prompt_tokens",
    "completion_tokens",
    "usage",
    "latency_ms",
    "answer",
)
_called = attrgetter(*_CALLED)
_BOUND = tuple(f"to_{name}" for name in _CALLED)
_CLOSE = (
    update(attempt)
    .where(attempt.c.request_id == bindparam("r"), attempt.c.number == bindparam("n"))
    .values({name: bindparam(bound) for name, bound in zip(_CALLED, _BOUND, strict=True)})
)


def _close_attempts(connection: Connection, settlements: Sequence[Settlement]) -> None:
    if not settlements:
        return
    rows = [
        {"r": s.request_id, "n": s.number, **dict(zip(_BOUND, _called(s), strict=True))} for s in settlements
    ]
    connection.execute(_CLOSE, rows)


def _check_counts(settlements: Sequence[Settlement]) -> dict[str, int]:
    """Return what the checks of answers found, by the batch's counters."""
    results = [s.next for s in settlements if isinstance(s.next, RequestResult)]
    invalid = [s for s in settlements if s.state == "succeeded" and s.error_code == INVALID_ANSWER]
    return {
        "invalid_answers": len(invalid),
        "asked_again": sum(isinstance(s.next, Requeue) for s in invalid),
        "repaired": sum("repaired" in (result.notes or {}) for result in results),
    }


def _requeue(connection: Connection, requeued: Mapping[int, Requeue]) -> None:
    """Make requests ready for another try, by their ids."""
    if not requeued:
        return
    now = connection.execute(select(now_ms())).scalar_one()
    base = update(request).where(request.c.id == bindparam("r"), request.c.state == "held")
    ready: dict[str, Any] = {
        "state": "ready",
        "chunk_id": None,
        "stage": chunks.DISPATCH,
        "next_attempt_at": bindparam("due"),
    }
    rows = [
        {"r": request_id, "due": now + int(one.after_s * 1000), "to_model": one.model}
        for request_id, one in requeued.items()
    ]
    if same_model := [row for row in rows if row["to_model"] is None]:
        connection.execute(base.values(**ready), same_model)
    if other_model := [row for row in rows if row["to_model"] is not None]:
        connection.execute(base.values(**ready, model_attempts=0, model=bindparam("to_model")), other_model)
