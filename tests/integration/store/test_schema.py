"""Creating the tables, and refusing others."""

import multiprocessing
from pathlib import Path

import pytest
from sqlalchemy import text, update

from tasks.errors import SettingsError
from tasks.store import schema
from tasks.store.engine import Store
from tests.support.stores import PostgresServer


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.empty_database()
    return f"sqlite:///{tmp_path / 'deep' / 'new.db'}"


def _open(url: str) -> None:
    schema.ensure_schema(Store(url))


def test_processes_that_start_at_once_create_the_tables_once(empty_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_open, args=(empty_url,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    _open(empty_url)


@pytest.mark.parametrize(
    ("version", "advice"), [(schema.VERSION + 1, "upgrade Waybill"), (0, "another store")]
)
def test_tables_of_another_version_are_refused_with_advice(store: Store, version: int, advice: str) -> None:
    with store.write() as connection:
        connection.execute(update(schema.schema_version).values(version=version))
    with pytest.raises(SettingsError, match=advice):
        schema.ensure_schema(store)


def test_tables_that_waybill_did_not_make_are_left_alone(empty_url: str) -> None:
    store = Store(empty_url)
    with store.write() as connection:
        connection.execute(text("CREATE TABLE batch (x INTEGER)"))
    with pytest.raises(SettingsError, match="did not make"):
        schema.ensure_schema(store)


def test_a_store_that_cannot_be_opened_is_named_without_its_password() -> None:
    store = Store("postgresql://user:canary-secret@127.0.0.1:1/none")
    with pytest.raises(SettingsError, match="cannot be opened") as caught:
        schema.ensure_schema(store)
    assert "canary-secret" not in str(caught.value)
