"""Invariants of every batch that has ended, whatever was killed meanwhile; docs/faults.md describes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select

from tasks.store import batches
from tasks.store.engine import Store
from tasks.store.tables import attempt, batch, chunk, outcome, request
from tests.support.comparisons import assert_fields
from workers.simulator import SimulatorClient

END_STATES = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class BatchTotals:
    """A batch's row, and the sums of the rows that it summarises.

    Attributes:
        row: The batch's row.
        states: Requests by state.
        outcomes: Outcomes by status.
        attempts: Calls on the ledger by state.
        spent: The sum of the calls' costs, in micro-dollars.
    """

    row: dict[str, Any]
    states: dict[str, int]
    outcomes: dict[str, int]
    attempts: dict[str, int]
    spent: int

    @classmethod
    def read(cls, store: Store, batch_id: str) -> BatchTotals:
        """Read the batch's row and sum up what belongs to it."""
        with store.read() as connection:
            row = dict(batches.find(connection, batch_id))

            def counted(table: Any, column: Any) -> dict[str, int]:
                query = select(column, func.count()).where(table.c.batch_no == row["no"]).group_by(column)
                return dict(connection.execute(query).all())

            spent = select(func.coalesce(func.sum(attempt.c.cost), 0)).where(attempt.c.batch_no == row["no"])
            return cls(
                row=row,
                states=counted(request, request.c.state),
                outcomes=counted(outcome, outcome.c.status),
                attempts=counted(attempt, attempt.c.state),
                spent=int(connection.execute(spent).scalar_one()),
            )


def check_batch(store: Store, batch_id: str) -> BatchTotals:
    """Check that every request ended once, and that counters and money are the sums of the batch's rows."""
    totals = BatchTotals.read(store, batch_id)
    row = totals.row
    assert row["status"] in batches.FINISHED, f"{batch_id} has not ended: {row}"
    unended = {state: number for state, number in totals.states.items() if state not in END_STATES}
    assert unended == {}, "requests without an end"
    assert totals.states == totals.outcomes, "requests by state, and outcomes by status"
    assert totals.attempts.get("sent", 0) == 0, f"calls that were never settled: {totals.attempts}"
    by_status = {status: totals.outcomes.get(status, 0) for status in END_STATES}
    calls = sum(totals.attempts.values())
    assert_fields(
        row, **by_status, total=sum(totals.states.values()), calls=calls, reserved=0, spent=totals.spent
    )
    check_budget(row)
    assert _stray_rows(store, row["no"]) == {
        "outcomes without a request": 0,
        "open chunks": 0,
        "answers without a body": 0,
    }
    return totals


def check_budget(row: dict[str, Any]) -> None:
    """Check that a batch has not spent and reserved more than its budget, where it has one."""
    if row["budget"] is not None:
        assert row["spent"] + row["reserved"] <= row["budget"], f"over its budget: {row}"


def check_bill(
    totals: BatchTotals, simulator: SimulatorClient, *, to_call: int, in_flight_at_kills: int = 0
) -> None:
    """Check that the provider billed no more calls than needed, and that the ledger holds at least its bill.

    The simulator must have been reset before the batch.

    Args:
        totals: The batch.
        simulator: The provider.
        to_call: How many different requests had to be answered.
        in_flight_at_kills: How many calls were in flight when workers were killed; each may be paid twice.
    """
    stats = simulator.stats()
    repeated = {name: prompt["calls"] for name, prompt in simulator.billed().items() if prompt["calls"] > 1}
    assert stats["billed"] <= to_call + in_flight_at_kills, f"too many calls were billed: {stats}"
    paid_again = sum(repeated.values()) - len(repeated)
    assert paid_again <= in_flight_at_kills, f"billed calls by prompt: {repeated}"
    assert totals.attempts.get("unknown", 0) <= in_flight_at_kills, totals.attempts
    assert totals.spent >= stats["billed_micro_usd"], f"the ledger is below the bill: {stats}"


def _stray_rows(store: Store, batch_no: int) -> dict[str, int]:
    """Return how many rows contradict each other, by what is wrong with them."""
    requests = select(request.c.id).where(request.c.batch_no == batch_no)
    wrong: dict[str, Select[int]] = {
        "outcomes without a request": select(func.count()).where(
            outcome.c.batch_no == batch_no, outcome.c.request_id.not_in(requests)
        ),
        "open chunks": select(func.count()).where(chunk.c.batch_no == batch_no, chunk.c.state != "done"),
        "answers without a body": select(func.count()).where(
            outcome.c.batch_no == batch_no,
            outcome.c.status == "succeeded",
            outcome.c.duplicate_of.is_(None),
            outcome.c.body.is_(None),
        ),
    }
    with store.read() as connection:
        options = connection.execute(select(batch.c.options).where(batch.c.no == batch_no)).scalar_one()
        found = {name: connection.execute(query).scalar_one() for name, query in wrong.items()}
    if options["route_only"]:  # nobody was called
        found["answers without a body"] = 0
    return found
