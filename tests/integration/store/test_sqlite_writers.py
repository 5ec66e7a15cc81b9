"""SQLite has one writer at a time: others wait for their turn, or get an error that the store is locked."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tasks.store import engine
from tasks.store.engine import Store


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[tuple[Store, sqlite3.Connection]]:
    """A store, and another process's connection that holds its write lock."""
    path = tmp_path / "waybill.db"
    store = Store(f"sqlite:///{path}")
    with store.write() as connection:
        connection.execute(text("CREATE TABLE noted (what TEXT)"))
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    yield store, other
    other.close()
    store.close()


def note(store: Store) -> None:
    with store.write() as connection:
        connection.execute(text("INSERT INTO noted VALUES ('mine')"))


def test_a_writer_waits_for_another_ones_end(shared: tuple[Store, sqlite3.Connection]) -> None:
    store, other = shared
    writer = threading.Thread(target=note, args=(store,))
    writer.start()
    time.sleep(0.05)
    assert writer.is_alive()
    other.execute("INSERT INTO noted VALUES ('theirs')")
    other.execute("COMMIT")
    writer.join(200)
    with store.read() as connection:
        assert connection.execute(text("SELECT what FROM noted")).scalars().all() == ["theirs", "mine"]


def test_a_writer_that_never_gets_a_turn_is_told_by_sqlalchemys_error_and_may_come_again(
    shared: tuple[Store, sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = shared
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 0.05)
    with pytest.raises(OperationalError, match="locked"):
        note(store)
    other.execute("ROLLBACK")
    note(store)


def test_other_statements_wait_as_long_as_ever(shared: tuple[Store, sqlite3.Connection]) -> None:
    store, other = shared
    other.execute("ROLLBACK")
    with store.write() as connection:
        waits_ms = connection.execute(text("PRAGMA busy_timeout")).scalar_one()
    assert waits_ms == engine.BUSY_TIMEOUT_S * 1000
