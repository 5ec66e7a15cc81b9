"""Creating the store's tables, and refusing a store that another version of Waybill has made."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Integer, Table, func, insert, inspect, select
from sqlalchemy.exc import OperationalError
from sqlmodel import SQLModel

from tasks.errors import SettingsError
from tasks.store import tables
from tasks.store.engine import Store

#: raised with every change of the tables
VERSION = 1
#: any number that no other program takes as its advisory lock
_LOCK = 0x7761_7962_696C_6C

schema_version = Table("schema_version", SQLModel.metadata, Column("version", Integer, primary_key=True))


def ensure_schema(store: Store) -> None:
    """Create the tables if the store is empty; any number of processes may do so at once.

    Raises
    ------
    SettingsError
        The store cannot be opened, or its tables are not those of this version.
    """
    try:
        with store.read() as connection:
            found = _version(connection)
        if found is None:
            with store.write() as connection:
                found = _create(connection)
    except OperationalError as error:
        raise SettingsError(f"the store {_shown(store)} cannot be opened: {_reason(error)}") from None
    _check(found, store)


def _create(connection: Connection) -> int:
    # On SQLite the write transaction itself keeps the others out.
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    found = _version(connection)
    if found is not None:
        return found
    if inspect(connection).has_table(tables.batch.name):
        return 0
    SQLModel.metadata.create_all(connection)
    connection.execute(insert(schema_version).values(version=VERSION))
    return VERSION


def _version(connection: Connection) -> int | None:
    if not inspect(connection).has_table(schema_version.name):
        return None
    return int(connection.execute(select(schema_version.c.version)).scalar_one())


def _check(found: int, store: Store) -> None:
    if found == VERSION:
        return
    if found > VERSION:
        advice = "upgrade Waybill on this host"
    else:
        advice = "finish its batches with the Waybill that made it, or name another store in [store] url"
    made_by = f"has schema version {found}" if found else "holds tables that Waybill did not make"
    raise SettingsError(f"the store {_shown(store)} {made_by}; this Waybill needs {VERSION}: {advice}")


def _shown(store: Store) -> str:
    return store.engine.url.render_as_string(hide_password=True)


def _reason(error: OperationalError) -> str:
    return str(error.orig).strip().splitlines()[0]
