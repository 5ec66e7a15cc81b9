"""What must hold after any run, whatever was killed in it (docs/faults.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from tasks.store import batches
from tasks.store.engine import Store
from tasks.store.tables import attempt, batch, chunk, outcome, request
from workers.simulator import SimulatorClient

ENDS = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class StoreInvariants:
    """A batch's row, and the sums of the rows that it summarises."""

    row: dict[str, Any]
    states: dict[str, int]
    outcomes: dict[str, int]
    attempts: dict[str, int]
    spent: int

    @classmethod
    def read(cls, store: Store, batch_id: str) -> StoreInvariants:
        with store.read() as connection:
            row = dict(batches.find(connection, batch_id))

            def counted(table: Any, column: Any) -> dict[str, int]:
                query = select(column, func.count()).where(table.c.batch_no == row["no"]).group_by(column)
                return dict(connection.execute(query).tuples().all())

            spent = select(func.coalesce(func.sum(attempt.c.cost), 0)).where(attempt.c.batch_no == row["no"])
            return cls(
                row=row,
                states=counted(request, request.c.state),
                outcomes=counted(outcome, outcome.c.status),
                attempts=counted(attempt, attempt.c.state),
                spent=int(connection.execute(spent).scalar_one()),
            )


def check_batch(store: Store, batch_id: str) -> StoreInvariants:
    """Every request ended, once, and the batch's counters and money say what its rows say."""
    books = StoreInvariants.read(store, batch_id)
    row = books.row
    assert row["status"] in batches.FINISHED, row
    assert set(books.states) <= set(ENDS), books.states
    assert sum(books.states.values()) == row["total"]
    assert books.states == books.outcomes, "a request's state and its one outcome agree"
    assert {end: row[end] for end in ENDS} == {end: books.outcomes.get(end, 0) for end in ENDS}
    assert "sent" not in books.attempts
    assert sum(books.attempts.values()) == row["calls"]
    assert (row["reserved"], row["spent"]) == (0, books.spent)
    assert row["budget"] is None or row["spent"] <= row["budget"]
    _check_outcomes_belong(store, row["no"])
    return books


def check_bill(
    books: StoreInvariants, simulator: SimulatorClient, *, to_call: int, in_flight_at_kills: int = 0
) -> None:
    """The provider billed no more calls than it had to, and the ledger holds at least its bill.

    The simulator was reset before the batch; `to_call`: different requests that had to be answered.
    """
    stats = simulator.stats()
    repeated = sum(prompt["calls"] - 1 for prompt in simulator.billed().values())
    assert stats["billed"] <= to_call + in_flight_at_kills, stats
    assert repeated <= in_flight_at_kills
    assert books.attempts.get("unknown", 0) <= in_flight_at_kills, books.attempts
    assert books.spent >= stats["billed_micro_usd"]


def _check_outcomes_belong(store: Store, batch_no: int) -> None:
    """No outcome without its request, no chunk that is still open, and a body behind every answer."""
    with store.read() as connection:
        strays = select(func.count()).where(
            outcome.c.batch_no == batch_no,
            outcome.c.request_id.not_in(select(request.c.id).where(request.c.batch_no == batch_no)),
        )
        assert connection.execute(strays).scalar_one() == 0
        left = select(func.count()).where(chunk.c.batch_no == batch_no, chunk.c.state != "done")
        assert connection.execute(left).scalar_one() == 0
        route_only = connection.execute(select(batch.c.options).where(batch.c.no == batch_no)).scalar_one()
        empty = select(func.count()).where(
            outcome.c.batch_no == batch_no,
            outcome.c.status == "succeeded",
            outcome.c.duplicate_of.is_(None),
            outcome.c.body.is_(None),
        )
        assert route_only["route_only"] or connection.execute(empty).scalar_one() == 0
