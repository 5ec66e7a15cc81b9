"""Router versions: routers are stored file by file, and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from router_core.artefact import MANIFEST
from tasks.errors import UsageError
from tasks.store.engine import now_ms
from tasks.store.outcomes import insert_ignoring
from tasks.store.routers.tables import router_file, router_role, router_version


@dataclass(frozen=True, slots=True)
class Version:
    """A stored router; `role` is champion, canary or None, `created_at` is in ms since 1970."""

    version: str
    source: str
    figures: Mapping[str, Any]
    created_at: int
    role: str | None = None
    share: float | None = None


def register(
    connection: Connection,
    version: str,
    files: Mapping[str, bytes],
    *,
    source: str,
    figures: Mapping[str, Any],
) -> bool:
    """Store a router; return False, and change nothing, if the store has this version already.

    Args:
        connection: A transaction that writes.
        version: The version, a short hash of the router's manifest.
        files: The contents of the router's files by name.
        source: The name of its origin, for people.
        figures: The results to show with it, as JSON values.
    """
    row = {"version": version, "source": source, "figures": dict(figures), "created_at": now_ms()}
    statement = insert_ignoring(connection, router_version).values(**row).returning(router_version.c.version)
    if connection.execute(statement).one_or_none() is None:
        return False
    rows = [{"version": version, "name": name, "content": data} for name, data in files.items()]
    connection.execute(insert(router_file), rows)
    return True


def files_of(connection: Connection, version: str) -> dict[str, bytes]:
    """Return the contents of a version's files by name; raises UsageError if the store does not have it."""
    query = select(router_file.c.name, router_file.c.content).where(router_file.c.version == version)
    files = {row.name: bytes(row.content) for row in connection.execute(query)}
    if not files:
        raise UsageError(f"the store has no router {version}: `waybill routers` lists those it has")
    return files


def manifest_of(connection: Connection, version: str) -> dict[str, Any]:
    """Return a version's manifest; empty if the store does not have it."""
    mine = (router_file.c.version == version) & (router_file.c.name == MANIFEST)
    content = connection.execute(select(router_file.c.content).where(mine)).scalar_one_or_none()
    return json.loads(bytes(content)) if content else {}


def find(connection: Connection, prefix: str) -> Version:
    """Return the version with this prefix; raises UsageError unless there is exactly one."""
    matches = [version for version in list_versions(connection) if version.version.startswith(prefix)]
    if len(matches) != 1:
        number = "more than one router" if matches else "no router"
        raise UsageError(f"{number} in the store begins with {prefix!r}")
    return matches[0]


def list_versions(connection: Connection) -> list[Version]:
    """Return all versions with their roles, newest first."""
    joined = router_version.outerjoin(router_role, router_role.c.version == router_version.c.version)
    query = (
        select(router_version, router_role.c.role, router_role.c.share)
        .select_from(joined)
        .order_by(router_version.c.created_at.desc(), router_version.c.version)
    )
    return [Version(**row._mapping) for row in connection.execute(query)]
