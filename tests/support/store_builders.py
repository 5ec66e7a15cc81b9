"""Builders for tests of the store: batches with requests, and each step on their way to an outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import func, select, update

from tasks.formats.requests import InputError, ParsedRequest
from tasks.store import batches, chunk_requests, chunks, claims, decisions, ingestion, ledger, reservations
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.ids import request_id
from tasks.store.tables import attempt, batch, chunk, outcome, request
from tasks.store.unlocked import deltas
from tasks.store.values import (
    HeldChunk,
    HeldRequest,
    RequestResult,
    Requeue,
    ReservationRequest,
    ReservationResult,
    RoutedRequest,
    Settlement,
)
from tests.support.comparisons import assert_batch
from tests.support.invariants import END_STATES, check_budget

T = TypeVar("T")
OPTIONS = BatchOptions(group_size=4)
ANSWER = RequestResult("succeeded", model="small", body='{"id": "x"}', status_code=200, latency_ms=7)
REFUSED = RequestResult(
    "failed", model="small", status_code=400, error_code="bad_request", error_message="refused"
)


def line(
    number: int, *, body: str | None = None, model: str | None = "small", custom_id: str | None = None
) -> ParsedRequest:
    """Return a request as the reader makes it; one that names a model goes straight to dispatch."""
    text = body if body is not None else f'{{"messages":[{number}]}}'
    return ParsedRequest(number, custom_id or f"id-{number}", model, text, 1, "prompt", None)


def lines(count: int, *, model: str | None = "small") -> list[ParsedRequest]:
    """Return this many different requests, from line 1 on."""
    return [line(number, model=model) for number in range(1, count + 1)]


def submit(
    store: Store,
    items: Sequence[ParsedRequest | InputError],
    *,
    options: BatchOptions = OPTIONS,
    budget: int | None = None,
    payer_no: int | None = None,
) -> int:
    """Store a batch with its whole input; returns its number."""
    with store.write() as connection:
        purpose = "judge" if payer_no else "answer"
        row = batches.create(
            connection, source="test", options=options, budget=budget, purpose=purpose, payer_no=payer_no
        )
        ingestion.ingest(connection, row["no"], options, items)
        ingestion.finish(connection, row["no"])
    return int(row["no"])


def claim(
    store: Store, batch_no: int, *, owner: str = "worker", lease_s: float = 60, stage: str | None = None
) -> list[HeldChunk]:
    """Claim every waiting chunk of a batch, or of one stage of it."""
    waiting = [chunk.c.batch_no == batch_no, chunk.c.state == "queued"]
    if stage is not None:
        waiting.append(chunk.c.stage == stage)
    with store.read() as connection:
        rows = connection.execute(select(chunk).where(*waiting).order_by(chunk.c.id)).mappings().all()
    held = []
    for r in rows:
        with store.write() as connection:
            held.append(
                claims.claim(connection, r["id"], r["epoch"], stage=r["stage"], owner=owner, lease_s=lease_s)
            )
    return [one for one in held if one is not None]


def held(
    store: Store, batch_no: int, *, owner: str = "worker", lease_s: float = 60, stage: str | None = None
) -> list[HeldRequest]:
    """Claim every waiting chunk of a batch, or of one stage of it, and return its requests."""
    claimed = claim(store, batch_no, owner=owner, lease_s=lease_s, stage=stage)
    with store.read() as connection:
        return [one for chunk_ in claimed for one in chunk_requests.requests_of(connection, chunk_.id)]


def reservation(one: HeldRequest, *, worst: int = 100) -> ReservationRequest:
    """Return the reservation of a request's next call."""
    return ReservationRequest(one.id, one.chunk_id, one.attempts + 1, one.model or "small", worst)


def reserve(
    store: Store, requests: Iterable[HeldRequest], *, worst: int = 100, owner: str = "worker"
) -> ReservationResult:
    """Reserve the worst case of each request's next call."""
    calls = [reservation(one, worst=worst) for one in requests]
    with store.write() as connection:
        return reservations.reserve(connection, calls[0].request_id >> 32, calls, owner=owner)


def settle(
    store: Store,
    requests: Iterable[HeldRequest],
    *,
    next: RequestResult | Requeue = ANSWER,
    cost: int | None = 30,
) -> None:
    """Settle the last call of each request, by default with an answer."""
    settlements = [settlement(one, next, cost=cost) for one in requests]
    with store.write() as connection:
        ledger.settle(connection, settlements[0].batch_no, settlements)


def settlement(
    one: HeldRequest,
    next: RequestResult | Requeue = ANSWER,
    *,
    cost: int | None = 30,
    number: int | None = None,
) -> Settlement:
    """Return the settlement of a request's call, by default of its next attempt."""
    succeeded = isinstance(next, RequestResult) and next.status == "succeeded"
    return replace(
        without_call(one, next),
        number=one.attempts + 1 if number is None else number,
        state="succeeded" if succeeded else "failed",
        cost=cost,
    )


def without_call(one: HeldRequest, next: RequestResult | Requeue) -> Settlement:
    """Return the settlement of a request that was not sent."""
    return Settlement(batch_no=one.batch_no, chunk_id=one.chunk_id, request_id=one.id, next=next)


def settle_all(store: Store, batch_no: int, *, model: str) -> None:
    """Answer every waiting request of a batch."""
    requests = held(store, batch_no)
    reserve(store, requests)
    settle(store, requests, next=replace(ANSWER, model=model))


def route_all(
    store: Store,
    batch_no: int,
    *,
    model: str,
    categories: Sequence[str | None] = (None,),
    router: str | None = None,
) -> None:
    """Decide for this model on every request of a batch that waits to be routed, the categories in turn."""
    for one in claim(store, batch_no):
        with store.write() as connection:
            chosen = [
                RoutedRequest(
                    request.id,
                    model,
                    categories[n % len(categories)],
                    "{}",
                    (model,),
                    None,
                    False,
                    "x",
                    router_version=router,
                )
                for n, request in enumerate(chunk_requests.requests_of(connection, one.id))
            ]
            decisions.record(connection, one, chosen)


def claim_for_routing(store: Store, batch_no: int) -> HeldChunk:
    """Claim a batch's only chunk, pass it through the embed stage, and claim it for the route stage."""
    [embedding] = claim(store, batch_no)
    with store.write() as connection:
        chunks.pass_on(connection, embedding, to_stage=chunks.ROUTE)
    [routing] = claim(store, batch_no)
    return routing


def expire_leases(store: Store) -> None:
    """Let every lease run out."""
    with store.write() as connection:
        ids = chunks.lock(connection, chunk.c.state == "claimed")
        connection.execute(update(chunk).where(chunk.c.id.in_(ids)).values(lease_until=1))


def row(store: Store, batch_no: int) -> dict[str, Any]:
    """Return the batch's row."""
    with store.read() as connection:
        return dict(connection.execute(select(batch).where(batch.c.no == batch_no)).mappings().one())


def states(store: Store, batch_no: int) -> dict[str, int]:
    """Count the batch's requests by state."""
    query = select(request.c.state, func.count()).group_by(request.c.state)
    with store.read() as connection:
        return dict(connection.execute(query.where(request.c.batch_no == batch_no)).all())


def attempts(store: Store, batch_no: int, number: int) -> list[tuple[str, int]]:
    """Return state and cost of each call of the request on this line."""
    query = select(attempt.c.state, attempt.c.cost).where(
        attempt.c.request_id == request_id(batch_no, number)
    )
    with store.read() as connection:
        return list(connection.execute(query.order_by(attempt.c.number)))


def outcomes(store: Store, batch_no: int) -> dict[int, str]:
    """Return the status of each request that has ended, by line."""
    query = select(outcome.c.request_id, outcome.c.status).where(outcome.c.batch_no == batch_no)
    with store.read() as connection:
        return {i - request_id(batch_no, 0): status for i, status in connection.execute(query)}


def check_ledger(store: Store, batch_no: int) -> None:
    """Check that the batch's money and counters are the sums of its rows, and that its budget holds."""
    with store.read() as connection:
        state = deltas.with_unfolded(connection, batches.by_number(connection, batch_no))
    by_status = Counter(outcomes(store, batch_no).values())
    ended = {status: by_status[status] for status in END_STATES}
    by_state = states(store, batch_no)
    assert {status: by_state.get(status, 0) for status in END_STATES} == ended, "requests, and outcomes"
    assert_batch(state, **ended, **_ledger_sums(store, batch_no))
    check_budget(state)


def _ledger_sums(store: Store, batch_no: int) -> dict[str, int]:
    """Return the sums of the batch's calls, and of those of the batches that it pays for."""
    with store.read() as connection:
        paid = list(connection.execute(select(batch.c.no).where(batch.c.payer_no == batch_no)).scalars())
    sums = select(
        func.count().filter(attempt.c.batch_no == batch_no).label("calls"),
        func.coalesce(func.sum(attempt.c.cost), 0).label("spent"),
        func.coalesce(func.sum(attempt.c.reserved).filter(attempt.c.state == "sent"), 0).label("reserved"),
    ).where(attempt.c.batch_no.in_([batch_no, *paid]))
    with store.read() as connection:
        found = connection.execute(sums).mappings().one()
    return {name: int(value) for name, value in found.items()}


def at_once(number: int, work: Callable[[int], T]) -> list[T]:
    """Run work(0), work(1), … in as many threads; the first exception of any is raised."""
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(work, range(number)))
