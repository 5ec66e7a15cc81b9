"""Creation and upgrade of the store's tables; a store that is newer or not Waybill's is refused."""

from __future__ import annotations

import logging

from sqlalchemy import Connection, column, func, inspect, select, table, text
from sqlalchemy.exc import OperationalError

from tasks.connections.store_url import shown_store
from tasks.errors import SettingsError
from tasks.store import migrations, tables
from tasks.store.engine import Store

logger = logging.getLogger(__name__)

#: the key of PostgreSQL's advisory lock; any number that no other program uses
_LOCK = 0x7761_7962_696C_6C

_revisions = table("alembic_version", column("version_num"))
#: the version table of stores from before the migrations; their tables are those of revision 0001
_schema_version = table("schema_version", column("version"))
_FIRST = "0001"


def ensure_schema(store: Store) -> None:
    """Create or upgrade the tables, in one transaction; several processes may do so concurrently.

    Raises:
        SettingsError: The store cannot be opened, belongs to a newer Waybill, or holds tables that are not
            Waybill's.
    """
    try:
        with store.read() as connection:
            _check_encoding(connection, store)
            revision = _revision(connection)
        if revision is None or revision < migrations.head():
            with store.write() as connection:
                revision = _upgrade(connection, store)
    except OperationalError as error:
        raise SettingsError(
            f"the store {_shown(store)} cannot be opened: {_reason(error)}; see [store] url or"
            " $WAYBILL_STORE__URL"
        ) from None
    if revision > migrations.head():
        raise _newer(store, revision)


def _upgrade(connection: Connection, store: Store) -> str:
    # On SQLite, the write transaction itself excludes other processes.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = 0"))  # others upgrade it, or use its tables
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    revision = _revision(connection)
    if revision is None:
        _adopt(connection, store)
    if revision is None or revision < migrations.head():
        migrations.upgrade(connection)
        logger.info("the store's tables are upgraded from %s to %s", revision or "none", migrations.head())
        return migrations.head()
    return revision


def _adopt(connection: Connection, store: Store) -> None:
    """Record the first revision for a store from before the migrations; leave an empty store as it is."""
    if inspect(connection).has_table(_schema_version.name):
        connection.execute(text("DROP TABLE schema_version"))
        migrations.stamp(connection, _FIRST)
    elif inspect(connection).has_table(tables.batch.name):
        raise SettingsError(
            f"the store {_shown(store)} holds tables that Waybill did not make: name another in [store] url"
        )


def _check_encoding(connection: Connection, store: Store) -> None:
    """Refuse a database that keeps bytes or a part of Unicode only: prompts are any text."""
    if connection.dialect.name != "postgresql":
        return
    encoding = connection.connection.dbapi_connection.info.parameter_status("server_encoding")  # type: ignore[union-attr]
    if encoding != "UTF8":
        raise SettingsError(
            f"the store {_shown(store)} is encoded in {encoding}: "
            "create a database with ENCODING 'UTF8' TEMPLATE template0"
        )


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_revisions.name):
        return None
    return connection.execute(select(_revisions.c.version_num)).scalar_one_or_none()


def _newer(store: Store, revision: str) -> SettingsError:
    newest = migrations.head()
    return SettingsError(
        f"the store {_shown(store)} has schema {revision}, and this Waybill knows {newest} at most: "
        "upgrade Waybill on this host"
    )


def _shown(store: Store) -> str:
    return shown_store(store.engine.url)


def _reason(error: OperationalError) -> str:
    return str(error.orig).strip().splitlines()[0]
