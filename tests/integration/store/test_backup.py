"""A backup taken while a batch ran is restored: what is paid twice, and what the ledger says of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from tasks.store import sweep
from tasks.store.engine import Store
from tests.support import store_builders
from tests.support.dispatch_harness import DispatchHarness
from tests.support.invariants import check_batch
from tests.support.stores import PostgresServer
from workers.simulator import SimulatorProcess

#: prompts answered when the backup is taken, in flight, and not yet sent
ANSWERED, IN_FLIGHT, WAITING = 4, 8, 5
TOTAL = ANSWERED + IN_FLIGHT + WAITING
#: copies the store to a file; opens what a file holds as a new store
Backup = tuple[Callable[[], None], Callable[[], str]]


@pytest.fixture
def backup(request: pytest.FixtureRequest, store_url: str, tmp_path: Path) -> Backup:
    """The commands of docs/operations.md, by database."""
    if not store_url.startswith("sqlite"):
        server: PostgresServer = request.getfixturevalue("postgres")
        dump = tmp_path / "waybill.dump"
        return lambda: server.dump(store_url, dump), lambda: server.restore(dump)
    copy = tmp_path / "copy.db"

    def vacuum_into() -> None:
        with closing(sqlite3.connect(make_url(store_url).database or "")) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))

    return vacuum_into, lambda: f"sqlite:///{copy}"


def test_a_backup_taken_in_mid_batch_goes_on_and_pays_again_for_what_it_does_not_know(
    store: Store, redis_url: str, simulator: SimulatorProcess, backup: Backup
) -> None:
    take, restore = backup
    provider = simulator.client
    provider.reset()
    harness = DispatchHarness(store, redis_url, simulator, dispatch={"in_flight": IN_FLIGHT})
    provider.behave("*", hold="backup")
    provider.release("backup", ANSWERED)
    taken = False

    def ended(row: dict[str, Any]) -> bool:
        nonlocal taken
        if not taken and row["succeeded"] == ANSWERED and provider.held("backup") == IN_FLIGHT:
            take()
            taken = True
            provider.release("backup")
        return row["status"] == "completed"

    batch_id = harness.submit([f"prompt {n}" for n in range(TOTAL)], budget=1_000_000)
    harness.run(batch_id, until=ended)
    assert provider.stats()["billed"] == TOTAL

    with closing(Store(restore())) as restored:
        harness.store = restored
        store_builders.expire_leases(restored)  # as those of a store that was away
        sweep.expire(restored)
        harness.run(batch_id)
        totals = check_batch(restored, batch_id)
    assert totals.outcomes == {"succeeded": TOTAL}
    # The provider was paid for all once, and again for what the backup does not know as answered.
    assert provider.stats()["billed"] == TOTAL + IN_FLIGHT + WAITING
    # What was in flight is on the ledger, charged in full. What was sent after the backup is on it once.
    assert totals.attempts == {"succeeded": TOTAL, "unknown": IN_FLIGHT}
