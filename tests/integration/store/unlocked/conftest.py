"""A PostgreSQL store, and processes that work on one batch of it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tasks.stages.dispatch.repository import DispatchRepository
from tasks.store import engine
from tasks.store.engine import Store
from tasks.store.unlocked import purses
from tests.support.stores import PostgresServer


@pytest.fixture
def store(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A worker's store, in which nothing waits for a lock for long, and small budgets have purses."""
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 2.0)
    monkeypatch.setattr(purses, "LEAST", 1)
    opened = Store(postgres.database(), is_worker=True)
    yield opened
    opened.close()


@pytest.fixture
def worker(store: Store) -> Callable[[str], DispatchRepository]:
    """The store as a dispatch process of this name uses it."""
    return lambda owner: DispatchRepository(store, owner)
