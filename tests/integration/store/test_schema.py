"""Creating and upgrading the tables, and refusing tables of other programs and newer versions."""

import multiprocessing
import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlmodel import SQLModel

from tasks.errors import SettingsError
from tasks.store import migrations, schema
from tasks.store.engine import Store
from tests.support import store_builders
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
        process.join(400)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    _open(empty_url)


def test_migrations_make_the_tables_that_the_code_describes(store: Store) -> None:
    # Alembic compares all but the conditions of partial indexes.
    with store.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, SQLModel.metadata) == []
    assert _indexes(store) == _indexes(_made_from_metadata(store))


def test_revisions_are_one_line_of_numbers() -> None:
    with Store("sqlite://").write() as connection:
        scripts = ScriptDirectory.from_config(migrations.config(connection))
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert revisions == [f"{number:04d}" for number in range(len(revisions), 0, -1)]
    assert scripts.get_current_head() == migrations.head()


def test_processes_that_start_at_once_upgrade_a_store_from_before_the_migrations_once(empty_url: str) -> None:
    store = Store(empty_url)
    with store.write() as connection:
        migrations.upgrade(connection, to="0001")
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(text("CREATE TABLE schema_version (version INTEGER PRIMARY KEY)"))
        connection.execute(text("INSERT INTO schema_version VALUES (1)"))
        connection.execute(text("INSERT INTO lane (model, reason) VALUES ('small', 'kept')"))
    store_builders.at_once(4, lambda _: schema.ensure_schema(Store(empty_url)))
    with store.read() as connection:
        versions = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
        assert versions == [migrations.head()]
        assert not inspect(connection).has_table("schema_version")
        assert connection.execute(text("SELECT reason FROM lane")).scalars().all() == ["kept"]


def test_a_store_of_a_newer_waybill_is_refused_with_advice_and_left_alone(store: Store) -> None:
    with store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SettingsError, match=r"9999.*upgrade Waybill on this host"):
        schema.ensure_schema(store)


def test_an_upgrade_that_fails_changes_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = migrations.head()
    following = f"{int(head) + 1:04d}"
    shutil.copytree(Path(migrations.__file__).parent, tmp_path / "scripts")
    (tmp_path / "scripts" / "versions" / f"{following}_broken.py").write_text(
        f"from alembic import op\nrevision, down_revision = '{following}', '{head}'\n"
        "def upgrade():\n    op.drop_table('batch')\n    raise RuntimeError('half way')\n"
    )
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "files", lambda _: tmp_path / "scripts")
        patch.setattr(migrations, "head", lambda: following)
        with pytest.raises(RuntimeError, match="half way"):
            schema.ensure_schema(store)
    schema.ensure_schema(store)
    assert store_builders.submit(store, store_builders.lines(1))


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


@pytest.mark.postgres
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_hold_any_text_is_refused_in_one_line(
    postgres: PostgresServer, encoding: str
) -> None:
    store = Store(postgres.empty_database(f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"))
    with pytest.raises(SettingsError, match=f"is encoded in {encoding}: create a database") as refused:
        schema.ensure_schema(store)
    assert len(str(refused.value).splitlines()) == 1


def _indexes(store: Store) -> set[str]:
    query = (
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        if store.is_sqlite
        else "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()"
    )
    with store.read() as connection:
        found = connection.execute(text(query)).scalars().all()
    return {" ".join(one.split()) for one in found if "alembic_version" not in one}


def _made_from_metadata(store: Store) -> Store:
    """The same store with its tables made again, by the code's description alone."""
    with store.write() as connection:
        SQLModel.metadata.drop_all(connection)
        SQLModel.metadata.create_all(connection)
    return store
