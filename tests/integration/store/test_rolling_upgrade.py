"""Workers of the version before go on while the store is upgraded: they know the old columns only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Column, MetaData, Table, insert, inspect, select, update

from tasks.store import migrations, schema
from tasks.store.engine import Store
from tests.support.stores import PostgresServer

#: the newest revision of the version before this one
PREVIOUS = "0005"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def upgraded(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Store, MetaData]:
    """A store that was upgraded, and its tables as a worker of the version before knows them."""
    url = f"sqlite:///{tmp_path / 'waybill.db'}"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.empty_database()
    store, known = Store(url), MetaData()
    with store.write() as connection:
        migrations.upgrade(connection, to=PREVIOUS)
        known.reflect(connection)
    known.remove(known.tables["alembic_version"])
    schema.ensure_schema(store)
    return store, known


def test_an_upgrade_only_adds_and_fills_what_it_adds(upgraded: tuple[Store, MetaData]) -> None:
    store, known = upgraded
    with store.read() as connection:
        for table in known.sorted_tables:
            columns = {one["name"]: one for one in inspect(connection).get_columns(table.name)}
            assert set(table.columns.keys()) <= set(columns), table.name
            for name, one in columns.items():
                if name in table.columns:
                    assert (one["nullable"], str(one["type"])) == _shape(table.columns[name]), name
                else:
                    assert one["nullable"] or one["default"] is not None, f"{table.name}.{name}"


def test_rows_of_the_version_before_can_be_written_read_and_changed(upgraded: tuple[Store, MetaData]) -> None:
    store, known = upgraded
    with store.write() as connection:
        for table in known.sorted_tables:
            row = {column.name: _value(column) for column in table.columns}
            connection.execute(insert(table).values(row))
            connection.execute(update(table).values({name: row[name] for name in _changeable(table)}))
            assert dict(connection.execute(select(table)).mappings().one()) == row, table.name


def _shape(column: Column[Any]) -> tuple[bool | None, str]:
    return column.nullable, str(column.type)


def _changeable(table: Table) -> list[str]:
    return [column.name for column in table.columns if not column.primary_key]


def _value(column: Column[Any]) -> Any:
    if isinstance(column.type, JSON):
        return {}
    kind = column.type.python_type
    return {int: 1, float: 1.0, bool: True, str: "x", bytes: b"x"}[kind]
