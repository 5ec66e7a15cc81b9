"""The roles of router versions: the champion routes all requests except the canary's share."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from tasks.errors import UsageError
from tasks.store.engine import now_ms
from tasks.store.routers.tables import router_event, router_role, router_version

CHAMPION, CANARY = "champion", "canary"


@dataclass(frozen=True, slots=True)
class Roles:
    """The versions in each role; without a champion, the router of the settings routes, if there is one."""

    champion: str | None = None
    canary: str | None = None
    share: float = 0.0
    #: when the canary started, ms since 1970
    since: int = 0


def read(connection: Connection) -> Roles:
    """Return the current roles."""
    rows = {row.role: row for row in connection.execute(select(router_role))}
    champion, canary = rows.get(CHAMPION), rows.get(CANARY)
    name = champion.version if champion else None
    return Roles(name, canary.version, canary.share, canary.since) if canary else Roles(name)


def promote(connection: Connection, version: str, *, reason: str) -> None:
    """Make a version the champion, end any canary, and keep the previous champion for a roll-back."""
    champion = _lock(connection).champion
    previous = champion if champion != version else _previous(connection)
    connection.execute(delete(router_role))
    row = {"role": CHAMPION, "version": version, "share": 1.0, "since": now_ms(), "previous": previous}
    connection.execute(insert(router_role).values(**row))
    _record_event(connection, "promoted", version, reason)


def start_canary(connection: Connection, version: str, *, share: float) -> None:
    """Make a version the canary for a share of the requests, 0 to 1.

    Raises:
        UsageError: There is no champion to compare it with, or it is the champion itself.
    """
    roles = _lock(connection)
    if roles.champion is None:
        raise UsageError(
            "a canary needs a champion to be compared with: promote the first router without --canary"
        )
    if roles.champion == version:
        raise UsageError(f"{version} is the champion")
    connection.execute(delete(router_role).where(router_role.c.role == CANARY))
    row = {"role": CANARY, "version": version, "share": share, "since": now_ms(), "previous": None}
    connection.execute(insert(router_role).values(**row))
    _record_event(connection, "canary", version, f"for {share:.0%} of the requests")


def roll_back(connection: Connection, *, reason: str, canary: str | None = None) -> str:
    """End the canary, or else restore the previous champion.

    Args:
        connection: A transaction that writes.
        reason: The reason, for the record.
        canary: If given, do nothing unless this version is still the canary.

    Returns:
        The champion afterwards; empty if there is none.

    Raises:
        UsageError: There is neither a canary nor a previous champion.
    """
    roles = _lock(connection)
    if canary is not None and roles.canary != canary:
        return roles.champion or ""
    if roles.canary is not None:
        connection.execute(delete(router_role).where(router_role.c.role == CANARY))
        _record_event(connection, "rolled_back", roles.canary, reason)
        return roles.champion or ""
    previous = _previous(connection)
    if previous is None:
        raise UsageError(
            "no router routed before this one: promote another version of `waybill routers`"
            if roles.champion
            else "no router routes: there is nothing to go back from"
        )
    values = {"version": previous, "since": now_ms(), "previous": None}
    connection.execute(update(router_role).where(router_role.c.role == CHAMPION).values(**values))
    _record_event(connection, "rolled_back", roles.champion or "", reason)
    return previous


def events(connection: Connection, *, limit: int = 20) -> list[tuple[int, str, str, str]]:
    """Return the latest changes, newest first: (ms since 1970, action, version, reason)."""
    columns = (router_event.c.at, router_event.c.action, router_event.c.version, router_event.c.reason)
    query = select(*columns).order_by(router_event.c.id.desc()).limit(limit)
    return [row._tuple() for row in connection.execute(query)]


def _lock(connection: Connection) -> Roles:
    """Return the roles, locked against changes by other transactions."""
    # The rows of the versions stand in for the roles: a table that may be empty cannot be locked by row.
    connection.execute(select(router_version.c.version).order_by(router_version.c.version).with_for_update())
    return read(connection)


def _previous(connection: Connection) -> str | None:
    query = select(router_role.c.previous).where(router_role.c.role == CHAMPION)
    return connection.execute(query).scalar_one_or_none()


def _record_event(connection: Connection, action: str, version: str, reason: str) -> None:
    row = {"action": action, "version": version, "reason": reason, "at": now_ms()}
    connection.execute(insert(router_event).values(**row))
