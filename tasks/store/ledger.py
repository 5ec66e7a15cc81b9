"""The ledger: money is reserved before a call and settled after it, in one transaction each.

An attempt's state `sent` is the fence: whoever turns it into something else (the worker that got the answer,
or the sweeper that gave the worker up) does so under the batch's lock, and nobody does it twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, bindparam, insert, select, tuple_, update

from tasks.store import batches, chunks, outcomes
from tasks.store.engine import now_ms
from tasks.store.ids import SENT
from tasks.store.tables import attempt, chunk, request
from tasks.store.values import (
    CANCELLED,
    Call,
    RequestResult,
    Requeue,
    ReservationRequest,
    ReservationResult,
    Settlement,
)


def reserve(
    connection: Connection, batch_no: int, wants: Sequence[ReservationRequest], *, owner: str
) -> ReservationResult:
    """Record attempts as `sent` and reserve their worst-case cost, as many as the budget has room for.

    A worker that did not hear whether its COMMIT succeeded asks again: what it has reserved it keeps.
    """
    row = batches.lock(connection, batch_no)
    attempts = _held_attempts(connection, wants, owner)
    mine = _reserved_before(
        connection, [w for w in wants if attempts.get((w.request_id, w.chunk_id)) == w.number]
    )
    following = [w for w in wants if attempts.get((w.request_id, w.chunk_id)) == w.number - 1]
    asked = following if row["status"] in batches.OPEN else []
    granted, waiting, refused = _allocate(batches.payer_chain(connection, row), asked)
    _record_sent(connection, batch_no, granted)
    granted += mine
    known = _ids(granted) | _ids(waiting) | _ids(refused)
    return ReservationResult(_ids(granted), _ids(waiting), _ids(refused), _ids(wants) - known)


def settle(connection: Connection, batch_no: int, settlements: Sequence[Settlement]) -> None:
    """Write what became of these attempts, and what follows for their requests.

    A settlement whose attempt is no longer `sent` (its worker was given up, the call charged in full) changes
    nothing: the request is somebody else's by now.
    """
    row = batches.lock(connection, batch_no)
    reserved = _sent(connection, [(s.request_id, s.number) for s in settlements])
    live = [s for s in settlements if (s.request_id, s.number) in reserved]
    # A cost above the worst case is a provider's misreport: the reservation is the most a call can cost.
    costs = {s.request_id: _charge(s.cost, reserved[s.request_id, s.number]) for s in live}
    _close_attempts(connection, live, costs)
    freed = sum(reserved[s.request_id, s.number] for s in live)
    batches.charge(connection, batch_no, spent=sum(costs.values()), reserved=-freed)
    apply_results(connection, batch_no, [(s.request_id, _next(row, s), costs[s.request_id]) for s in live])


def apply_results(
    connection: Connection, batch_no: int, ends: Sequence[tuple[int, RequestResult | Requeue, int]]
) -> None:
    """Finish requests or send them round again: (request id, what is next, cost of the last call)."""
    ids = [request_id for request_id, _, _ in ends]
    query = (
        select(request.c.chunk_id).where(request.c.id.in_(ids), request.c.chunk_id.is_not(None)).distinct()
    )
    chunk_ids = [row.chunk_id for row in connection.execute(query)]
    outcomes.finish(
        connection, batch_no, [(i, n, cost) for i, n, cost in ends if isinstance(n, RequestResult)]
    )
    _requeue(connection, [(i, n) for i, n, _ in ends if isinstance(n, Requeue)])
    chunks.close_empty(connection, chunk_ids)
    batches.finish_if_done(connection, batch_no)


def end_without_call(
    connection: Connection, batch_no: int, ends: Sequence[tuple[int, RequestResult | Requeue]], *, owner: str
) -> None:
    """End requests, or send them round, without a call; those this worker holds no longer are left alone."""
    batches.lock(connection, batch_no)
    held = (
        select(request.c.id)
        .join(chunk, chunk.c.id == request.c.chunk_id)
        .where(
            request.c.id.in_([request_id for request_id, _ in ends]),
            request.c.state == "held",
            chunk.c.owner == owner,
            chunk.c.state == "claimed",
        )
        .where(~select(attempt.c.number).where(*_in_flight(request.c.id)).exists())
    )
    mine = set(connection.execute(held).scalars())
    apply_results(connection, batch_no, [(i, following, 0) for i, following in ends if i in mine])


def charge_lost_calls(connection: Connection, batch_no: int, request_ids: Sequence[int]) -> set[int]:
    """Charge the `sent` attempts of these requests in full: their worker died, the calls' fate is unknown."""
    query = select(attempt.c.request_id, attempt.c.number, attempt.c.reserved).where(
        attempt.c.request_id.in_(request_ids), attempt.c.state == SENT
    )
    rows = connection.execute(query).all()
    if not rows:
        return set()
    # Under the batch's lock these are the same attempts; by pairs of keys, SQLite would read all there are.
    connection.execute(
        update(attempt)
        .where(attempt.c.request_id.in_([row.request_id for row in rows]), attempt.c.state == SENT)
        .values(state="unknown", cost=attempt.c.reserved, error_code="worker_lost")
    )
    total = sum(row.reserved for row in rows)
    batches.charge(connection, batch_no, spent=total, reserved=-total)
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


def _held_attempts(
    connection: Connection, wants: Sequence[ReservationRequest], owner: str
) -> dict[tuple[int, int], int]:
    """Return how many attempts each request (id, chunk id) has had that this worker holds."""
    query = (
        select(request.c.id, request.c.chunk_id, request.c.attempts)
        .join(chunk, chunk.c.id == request.c.chunk_id)
        .where(
            request.c.id.in_([want.request_id for want in wants]),
            request.c.state == "held",
            chunk.c.owner == owner,
            chunk.c.state == "claimed",
        )
    )
    return {(row.id, row.chunk_id): row.attempts for row in connection.execute(query)}


def _reserved_before(connection: Connection, wants: Sequence[ReservationRequest]) -> list[ReservationRequest]:
    """Return the wants whose very attempt is `sent`: this worker's own, since it holds the request."""
    sent = _sent(connection, [(want.request_id, want.number) for want in wants]) if wants else {}
    return [want for want in wants if (want.request_id, want.number) in sent]


def _allocate(
    purses: Sequence[RowMapping], wants: Sequence[ReservationRequest]
) -> tuple[list[ReservationRequest], list[ReservationRequest], list[ReservationRequest]]:
    """Split the wants into those that fit now, those that may fit later, and those that never will."""
    capped = [row for row in purses if row["budget"] is not None]
    if not capped:
        return list(wants), [], []
    room = min(row["budget"] - row["spent"] - row["reserved"] for row in capped)
    room_at_best = min(row["budget"] - row["spent"] for row in capped)
    granted: list[ReservationRequest] = []
    waiting: list[ReservationRequest] = []
    refused: list[ReservationRequest] = []
    for want in wants:
        if want.worst <= room:
            granted.append(want)
            room -= want.worst
        elif want.worst <= room_at_best:
            waiting.append(want)
        else:
            refused.append(want)
    return granted, waiting, refused


def _record_sent(connection: Connection, batch_no: int, wants: Sequence[ReservationRequest]) -> None:
    if not wants:
        return
    sent_at = connection.execute(select(now_ms())).scalar_one()
    connection.execute(
        insert(attempt),
        [
            {
                "request_id": w.request_id,
                "number": w.number,
                "batch_no": batch_no,
                "model": w.model,
                "state": "sent",
                "reserved": w.worst,
                "sent_at": sent_at,
            }
            for w in wants
        ],
    )
    connection.execute(
        update(request)
        .where(request.c.id.in_([w.request_id for w in wants]))
        .values(attempts=request.c.attempts + 1, model_attempts=request.c.model_attempts + 1)
    )
    batches.count(connection, batch_no, calls=len(wants))
    batches.charge(connection, batch_no, reserved=sum(want.worst for want in wants))


def _sent(connection: Connection, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    query = select(attempt.c.request_id, attempt.c.number, attempt.c.reserved).where(
        tuple_(attempt.c.request_id, attempt.c.number).in_(keys), attempt.c.state == SENT
    )
    return {(row.request_id, row.number): row.reserved for row in connection.execute(query)}


def _next(row: RowMapping, settlement: Settlement) -> RequestResult | Requeue:
    """Return a cancelled batch sends nothing again."""
    again = isinstance(settlement.next, Requeue)
    return CANCELLED if again and row["status"] == "cancelling" else settlement.next


def _charge(cost: int | None, reserved: int) -> int:
    return reserved if cost is None else min(cost, reserved)


def _close_attempts(connection: Connection, live: Sequence[Settlement], costs: dict[int, int]) -> None:
    if not live:
        return
    statement = update(attempt).where(
        attempt.c.request_id == bindparam("r"), attempt.c.number == bindparam("n")
    )
    columns = ("state", "status_code", "error_code", "prompt_tokens", "completion_tokens", "latency_ms")
    connection.execute(
        statement.values(cost=bindparam("to_cost"), **{name: bindparam(f"to_{name}") for name in columns}),
        [
            {
                "r": s.request_id,
                "n": s.number,
                "to_cost": costs[s.request_id],
                **{f"to_{name}": getattr(s, name) for name in columns},
            }
            for s in live
        ],
    )


def _requeue(connection: Connection, again: Sequence[tuple[int, Requeue]]) -> None:
    if not again:
        return
    now = connection.execute(select(now_ms())).scalar_one()
    same = [(i, a) for i, a in again if a.model is None]
    other = [(i, a) for i, a in again if a.model is not None]
    base = update(request).where(request.c.id == bindparam("r"), request.c.state == "held")
    moved: dict[str, Any] = {
        "state": "ready",
        "chunk_id": None,
        "stage": chunks.DISPATCH,
        "next_attempt_at": bindparam("due"),
    }
    if same:
        connection.execute(
            base.values(**moved), [{"r": i, "due": now + int(a.after_s * 1000)} for i, a in same]
        )
    if other:
        connection.execute(
            base.values(**moved, model_attempts=0, model=bindparam("to_model")),
            [{"r": i, "due": now + int(a.after_s * 1000), "to_model": a.model} for i, a in other],
        )


def _ids(wants: Iterable[ReservationRequest]) -> frozenset[int]:
    return frozenset(want.request_id for want in wants)
