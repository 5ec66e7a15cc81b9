"""What the store and the simulator of a stack hold about a batch."""

from __future__ import annotations

from sqlalchemy import select

from tasks.store.tables import decision
from tests.compose.compose_stack import ComposeStack
from tests.faults.tally import ProviderRecords, Tally, tally
from workers.simulator import SimulatorClient


def check_against_simulator(stack: ComposeStack, batch_id: str) -> None:
    """Check that every call and bill of the simulator is on the ledger, and every answer is one that it gave.

    The simulator must have been reset before the batch, and have answered nothing else since.
    """
    check_records(stack, batch_id, stack.simulator())


def check_records(stack: ComposeStack, batch_id: str, simulator: SimulatorClient) -> Tally:
    """Check a batch against the records of a simulator that has answered nothing else; returns the counts."""
    records = ProviderRecords(simulator.stats(), simulator.billed(), simulator.replies())
    with stack.store() as store:
        counted = tally(store, batch_id, records)
    print(counted)
    assert counted.broken == {}
    assert counted.paid_again <= counted.unknown + counted.charged, "calls in flight in what was killed"
    return counted


def versions_of(stack: ComposeStack, batch_id: str) -> set[str | None]:
    """The versions of the routers that decided a batch's requests."""
    number = stack.row(batch_id)["no"]
    query = select(decision.c.router_version).where(decision.c.batch_no == number).distinct()
    with stack.store() as store, store.read() as connection:
        return set(connection.execute(query).scalars())
