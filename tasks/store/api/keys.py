"""Keys of the API in the store: their rows, their limits, and the rate of their requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, RowMapping, case, func, insert, select, update

from tasks.errors import UsageError
from tasks.store.api.tables import api_batch, api_key
from tasks.store.batches import FINISHED
from tasks.store.engine import now_ms
from tasks.store.tables import batch

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Key:
    """A key, without its secret. Money is in micro-dollars; None is no limit; `models` None is all."""

    id: str
    name: str
    created_at: int
    revoked_at: int | None
    budget_day: int | None
    budget_month: int | None
    models: tuple[str, ...] | None
    rpm: int | None
    concurrent_batches: int | None
    priority: str
    is_operator: bool = False
    #: until when the text before a rotation opens the API, too (ms since 1970)
    previous_until: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Hashes:
    """The hashes of a key's secret, and of the one before its rotation while that holds."""

    current: str
    previous: str | None


def create(connection: Connection, key_id: str, secret_hash: str, **values: Any) -> Key:
    """Store a key; raises UsageError for a name that another key has."""
    other = connection.execute(select(api_key.c.revoked_at).where(api_key.c.name == values["name"])).first()
    if other is not None:
        raise UsageError(_taken_text(values["name"], is_revoked=other.revoked_at is not None))
    row = {"id": key_id, "secret_hash": secret_hash, "created_at": now_ms(), **values}
    return _key(connection.execute(insert(api_key).values(**row).returning(api_key)).mappings().one())


def list_keys(connection: Connection) -> list[Key]:
    """Return all keys, the oldest first."""
    rows = connection.execute(select(api_key).order_by(api_key.c.created_at, api_key.c.id)).mappings()
    return [_key(row) for row in rows]


def find(connection: Connection, name: str) -> Key:
    """Return the key of this name or id; raises UsageError."""
    named = (api_key.c.name == name) | (api_key.c.id == name)
    row = connection.execute(select(api_key).where(named)).mappings().first()
    if row is None:
        raise UsageError(f"no key {name!r}: see `waybill keys list`")
    return _key(row)


def name_of(connection: Connection, key_id: str) -> str:
    """Return the name of a key, revoked or not; its id if the store does not know it."""
    name = connection.execute(select(api_key.c.name).where(api_key.c.id == key_id)).scalar_one_or_none()
    return name or key_id


def with_hashes(connection: Connection, key_id: str) -> tuple[Key, Hashes] | None:
    """Return a key and the hashes that its secret may have now; None if there is none or it is revoked."""
    still = case((api_key.c.previous_until > now_ms(), api_key.c.previous_hash)).label("still")
    query = select(api_key, still).where(api_key.c.id == key_id, api_key.c.revoked_at.is_(None))
    row = connection.execute(query).mappings().first()
    return None if row is None else (_key(row), Hashes(row["secret_hash"], row["still"]))


def lock(connection: Connection, key_id: str) -> Key | None:
    """Lock a key's row, so that its batches are created one after the other; None if it is revoked."""
    query = select(api_key).where(api_key.c.id == key_id, api_key.c.revoked_at.is_(None))
    row = connection.execute(query.with_for_update()).mappings().first()
    return None if row is None else _key(row)


def revoke(connection: Connection, key_id: str) -> None:
    """Let a key open nothing from now on."""
    mine = update(api_key).where(api_key.c.id == key_id, api_key.c.revoked_at.is_(None))
    connection.execute(mine.values(revoked_at=now_ms()))


def set_operator(connection: Connection, key_id: str, is_operator: bool) -> None:
    """Make a key an operator's, or an ordinary one."""
    connection.execute(update(api_key).where(api_key.c.id == key_id).values(is_operator=is_operator))


def set_limits(connection: Connection, key_id: str, values: Mapping[str, Any]) -> Key:
    """Change columns of a key and return it."""
    changed = update(api_key).where(api_key.c.id == key_id).values(**values).returning(api_key)
    return _key(connection.execute(changed).mappings().one())


def rotate(connection: Connection, key_id: str, secret_hash: str, *, keep_s: float) -> None:
    """Give a key another secret; the old one holds for `keep_s` seconds more."""
    changed = {
        "previous_hash": api_key.c.secret_hash,
        "previous_until": now_ms() + int(keep_s * 1000),
        "secret_hash": secret_hash,
    }
    connection.execute(update(api_key).where(api_key.c.id == key_id).values(**changed))


def wait_of_next_request(connection: Connection, key_id: str, rpm: int) -> float:
    """Take one request of the rate of a key; returns 0, or the seconds to wait where there is none now.

    By the generic cell rate algorithm: up to `rpm` at once, then one each 60/rpm seconds.
    """
    step = _MINUTE_MS // rpm or 1
    begins = case((api_key.c.next_request_at > now_ms(), api_key.c.next_request_at), else_=now_ms())
    has_room = api_key.c.next_request_at + step <= now_ms() + _MINUTE_MS
    taken = update(api_key).where(api_key.c.id == key_id, has_room).values(next_request_at=begins + step)
    if connection.execute(taken).rowcount:
        return 0.0
    wait = select(api_key.c.next_request_at + step - _MINUTE_MS - now_ms()).where(api_key.c.id == key_id)
    return float(max(connection.execute(wait).scalar_one(), 1)) / 1000


def unfinished_batches(connection: Connection, key_id: str) -> int:
    """Return how many batches of a key have not ended."""
    query = (
        select(func.count())
        .select_from(api_batch.outerjoin(batch, batch.c.id == api_batch.c.id))
        .where(api_batch.c.owner == key_id, _is_unfinished())
    )
    return connection.execute(query).scalar_one()


def committed(connection: Connection, key_id: str, since_ms: int, until_ms: int | None = None) -> int:
    """Return the micro-dollars that the batches of a key created since then have cost or may yet cost.

    A batch that runs counts with its whole budget, one that has ended with what it has spent.

    Args:
        connection: The connection.
        key_id: The key.
        since_ms: The first ms since 1970.
        until_ms: The ms since 1970 before which they were created; None: until now.
    """
    spent = func.coalesce(batch.c.spent, 0)
    # The budget of a batch that runs may have been changed by the command.
    budget = func.coalesce(batch.c.budget, api_batch.c.budget, 0)
    counted = case((_is_unfinished(), budget), else_=spent)
    query = (
        select(func.coalesce(func.sum(counted), 0))
        .select_from(api_batch.outerjoin(batch, batch.c.id == api_batch.c.id))
        .where(api_batch.c.owner == key_id, api_batch.c.created_at >= since_ms)
    )
    if until_ms is not None:
        query = query.where(api_batch.c.created_at < until_ms)
    return int(connection.execute(query).scalar_one())


def _taken_text(name: str, *, is_revoked: bool) -> str:
    if is_revoked:
        return f"the name {name!r} stays that of a key that was revoked, and of its batches: choose another"
    advice = "`waybill keys rotate` gives it a new text, `waybill keys update` other limits"
    return f"there is a key {name!r} already: {advice}, or choose another name"


def _is_unfinished() -> Any:
    """Return the condition that a batch may yet cost something; the batch of its id may not exist."""
    runs = batch.c.status.is_not(None) & batch.c.status.not_in(FINISHED)
    return (api_batch.c.state == "validating") | runs


def _key(row: RowMapping) -> Key:
    values = {name: row[name] for name in Key.__slots__}
    return Key(**{**values, "models": None if row["models"] is None else tuple(row["models"])})
