"""No frequent statement reads a whole table: its cost must not grow with the store."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, event

from tasks.stages.dispatch.group_requests import reuse_answers
from tasks.store import chunk_requests, decisions, deletion, outbox, progress, results, sweep
from tasks.store.engine import Store
from tasks.store.health import exhausted
from tasks.store.values import Requeue, RoutedRequest
from tests.support import store_builders

#: tables with a row or more for each request or chunk; the others are short
LONG = (
    *("request", "chunk", "attempt", "outcome", "decision"),
    *("sampled_prompt", "sampled_answer", "judged_prompt", "verdict", "human_prompt"),
)
#: partial indexes, of what waits or is in flight: reading all of one is no matter
SHORT_INDEXES = ("ix_request_due", "ix_attempt_sent")
#: a search by the batch alone reads all of the batch
_WHOLE = {
    True: re.compile(r"SCAN (\w+)|SEARCH (request|attempt|outcome|decision) USING .*\(batch_no=\?\)$"),
    False: re.compile(r"Seq Scan on \"?(\w+)"),
}
Statement = tuple[str, Any]


@contextmanager
def recorded(store: Store) -> Iterator[list[Statement]]:
    """Collect every statement that looks for rows while the block runs, with its first parameters."""
    statements: dict[str, Any] = {}

    def note(_: Any, __: Any, text: str, parameters: Any, ___: Any, many: bool) -> None:
        if text.startswith(("SELECT", "UPDATE", "DELETE")):
            statements.setdefault(text, parameters[0] if many else parameters)

    found: list[Statement] = []
    event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(store.engine, "before_cursor_execute", note)
        found += statements.items()


def scans(store: Store, statement: Statement) -> list[str]:
    """Return the long tables of which a statement reads every row, or every row of a batch."""
    with store.read() as connection:
        plan = _plan(connection, *statement)
    lines = [line for line in plan if not any(index in line for index in SHORT_INDEXES)]
    found = [match for line in lines if (match := _WHOLE[store.is_sqlite].search(line))]
    return sorted({match.group(match.lastindex or 0) for match in found} & set(LONG))


def _plan(connection: Connection, text: str, parameters: Any) -> Sequence[str]:
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", parameters)
        return [row[-1] for row in rows]
    # On tables as small as these the planner prefers reading all of them, unless it is told not to.
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    return [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {text}", parameters)]


def check(store: Store, statements: Sequence[Statement]) -> None:
    """Check that no statement reads a long table whole; a failure shows the statements and the tables."""
    assert len(statements) > 1
    found = {text: tables for text, parameters in statements if (tables := scans(store, (text, parameters)))}
    assert found == {}


def test_intake_reads_no_table_whole(store: Store) -> None:
    with recorded(store) as statements:
        store_builders.submit(store, [*store_builders.lines(5), *store_builders.lines(9, model=None)[5:]])
    check(store, statements)


def test_claiming_calling_and_settling_read_no_table_whole(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(8), budget=10_000)
    with recorded(store) as statements:
        outbox.relay(store, lambda _: None)
        requests = store_builders.held(store, batch_no)
        store_builders.reserve(store, requests)
        store_builders.settle(store, requests[:4])
        store_builders.settle(store, requests[4:6], next=Requeue(0.0))
        store_builders.settle(store, requests[6:], next=store_builders.REFUSED)
    check(store, statements)


@pytest.mark.parametrize("route_only", [False, True])
def test_routing_reads_no_table_whole(store: Store, route_only: bool) -> None:
    lines = [
        *store_builders.lines(4, model=None),
        store_builders.line(5, body=store_builders.line(1).body, model=None),
    ]
    batch_no = store_builders.submit(
        store, lines, options=replace(store_builders.OPTIONS, route_only=route_only)
    )
    with recorded(store) as statements:
        held = store_builders.claim_for_routing(store, batch_no)
        with store.write() as connection:
            routed = [
                RoutedRequest(one.id, "small", None, "{}", "[]", None, False, "test")
                for one in chunk_requests.requests_of(connection, held.id)
            ]
            decisions.record(connection, held, routed)
    check(store, statements)


def test_sweeping_reads_no_table_whole(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(8))
    outbox.relay(store, lambda _: None)
    store_builders.reserve(store, store_builders.held(store, batch_no)[:2])
    store_builders.expire_leases(store)
    with recorded(store) as statements:
        sweep.expire(store)
        sweep.regroup(store)
        sweep.republish(store, {}, after_s=0.0)
    check(store, statements)


def test_looking_and_exporting_read_no_table_whole(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(8))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests[:4])
    with recorded(store) as statements:
        with store.read() as connection:
            batch_id = progress.snapshot(connection).batch_id
        assert len(list(results.iter_results(store, batch_id, page=2))) == 4
    check(store, statements)


def test_the_budget_that_would_be_enough_is_read_from_the_calls_of_one_batch(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(4), budget=10_000)
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests, worst=50)
    store_builders.settle(store, requests[:2], cost=40)
    store_builders.settle(store, requests[2:], cost=40, next=store_builders.REFUSED)
    with recorded(store) as statements, store.read() as connection:
        row = {"no": batch_no, "spent": 160}
        assert exhausted.enough_budget(connection, row) == 160 + 96 + 50
        progress.snapshot(connection)
    check(store, statements)


def test_answers_of_earlier_batches_are_found_by_an_index(store: Store) -> None:
    first = store_builders.submit(store, store_builders.lines(8))
    store_builders.settle_all(store, first, model="small")
    options = replace(store_builders.OPTIONS, reuse_s=60.0, reuse_any=True)
    batch_no = store_builders.submit(store, store_builders.lines(8), options=options)
    claimed = store_builders.claim(store, batch_no)
    with recorded(store) as statements:
        for one in claimed:
            reuse_answers(store, one, owner="worker")
    assert store_builders.row(store, batch_no)["reused"] == 8
    check(store, statements)


def test_deleting_reads_no_table_whole(store: Store) -> None:
    numbers = [store_builders.submit(store, store_builders.lines(8)) for _ in range(2)]
    for number in numbers:
        store_builders.settle_all(store, number, model="small")
    batch_id = store_builders.row(store, numbers[0])["id"]
    with recorded(store) as statements:
        with store.write() as connection:
            assert deletion.expired(connection, 1.0) == []
            assert deletion.mark(connection, batch_id) == numbers[:1]
            assert deletion.unfinished(connection) == numbers[:1]
        deletion.clear(store, numbers[0])
    check(store, statements)
