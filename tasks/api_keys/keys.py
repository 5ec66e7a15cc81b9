"""What an operator does with keys, and whom a key's text belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from tasks.api_keys.secrets import key_text, matches, new_key_id, new_secret, parse, secret_hash
from tasks.errors import UsageError
from tasks.store.api import audit, keys
from tasks.store.api.keys import Key
from tasks.store.engine import Store

PRIORITIES = ("low", "normal", "high")
#: the limits that a key may be without
LIMITS = ("budget_day", "budget_month", "models", "rpm", "concurrent_batches")
_MAX_NAME = 64


def create(
    store: Store,
    name: str,
    *,
    budget_day: int | None = None,
    budget_month: int | None = None,
    models: Sequence[str] = (),
    rpm: int | None = None,
    concurrent_batches: int | None = None,
    priority: str = "normal",
    is_operator: bool = False,
) -> tuple[Key, str]:
    """Make a key; returns it with its text, which cannot be shown again.

    Args:
        name: What people call its owner; no other key has it.
        budget_day: Micro-dollars that the batches of one day (UTC) may cost.
        budget_month: Micro-dollars that those of one month may cost.
        models: The models that it may use; empty means all.
        rpm: Requests to the API per minute.
        concurrent_batches: Batches that may be unfinished at once.
        priority: The class of its batches: low, normal or high.
        is_operator: Whether its page shows the counts of all keys' batches, the routers and operations.

    Raises:
        UsageError: The name is taken, too long or empty, or there is no such class.
    """
    if not name.strip() or len(name) > _MAX_NAME or not name.isprintable():
        raise UsageError(f"a key's name has 1 to {_MAX_NAME} printable characters")
    _check_priority(priority)
    key_id, secret = new_key_id(), new_secret()
    values = {
        "name": name,
        "budget_day": budget_day,
        "budget_month": budget_month,
        "models": list(dict.fromkeys(models)) or None,
        "rpm": rpm,
        "concurrent_batches": concurrent_batches,
        "priority": priority,
        "is_operator": is_operator,
    }
    with store.write() as connection:
        key = keys.create(connection, key_id, secret_hash(secret), **values)
        audit.note(connection, "key.create", key.id, owner=key.id, actor=audit.OPERATOR)
    return key, key_text(key_id, secret)


def update(store: Store, name: str, changed: Mapping[str, Any], *, remove: Sequence[str] = ()) -> Key:
    """Change limits of a key and return it; they hold from its next request on.

    Batches that run keep their models and their class, and every batch its budget; one that is still
    validated is held to the new models and class.

    Args:
        store: The store.
        name: The name of the key, or its id.
        changed: New values of arguments of `create`.
        remove: Those of `LIMITS` that it has no more.

    Raises:
        UsageError: There is no such key, limit or class, it is revoked, or nothing is to be changed.
    """
    for limit in remove:
        if limit not in LIMITS or limit in changed:
            known = ", ".join(LIMITS).replace("_", "-")
            raise UsageError(f"what can be removed, if it is not set as well: {known}")
    values = {**changed, **dict.fromkeys(remove)}
    if not values:
        raise UsageError("name a limit that is to be changed")
    _check_priority(values.get("priority", PRIORITIES[0]))
    if values.get("models"):
        values["models"] = list(dict.fromkeys(values["models"]))
    with store.write() as connection:
        key = _valid(connection, name)
        audit.note(connection, "key.update", key.id, owner=key.id, actor=audit.OPERATOR, **values)
        return keys.set_limits(connection, key.id, values)


def rotate(store: Store, name: str, *, keep_s: float = 0.0) -> tuple[Key, str]:
    """Give a key a new text and return it; the old one opens the API for `keep_s` seconds more.

    Raises:
        UsageError: There is no such key, or it is revoked.
    """
    secret = new_secret()
    with store.write() as connection:
        key = _valid(connection, name)
        keys.rotate(connection, key.id, secret_hash(secret), keep_s=keep_s)
        audit.note(connection, "key.rotate", key.id, owner=key.id, actor=audit.OPERATOR, keep_s=keep_s)
    return key, key_text(key.id, secret)


def revoke(store: Store, name: str) -> Key:
    """Let a key open nothing from now on; its batches go on. Raises UsageError for no such key."""
    with store.write() as connection:
        key = keys.find(connection, name)
        keys.revoke(connection, key.id)
        audit.note(connection, "key.revoke", key.id, owner=key.id, actor=audit.OPERATOR)
    return key


def set_operator(store: Store, name: str, *, is_operator: bool) -> Key:
    """Make a key an operator's, or an ordinary one. Raises UsageError for no such key."""
    with store.write() as connection:
        key = keys.find(connection, name)
        keys.set_operator(connection, key.id, is_operator)
        audit.note(connection, "key.operator", key.id, owner=key.id, actor=audit.OPERATOR, on=is_operator)
    return key


def owner_of(store: Store, text: str) -> Key | None:
    """Return the key with this text; None if there is none, or it is revoked."""
    key_id, secret = parse(text) or ("", "")
    with store.read() as connection:
        found = keys.with_hashes(connection, key_id)
    is_right = matches(secret, found[1] if found else None)
    return found[0] if found and is_right else None


def _valid(connection: Connection, name: str) -> Key:
    """Return the key of this name or id; raises UsageError where there is none, or it is revoked."""
    key = keys.find(connection, name)
    if key.revoked_at is not None:
        raise UsageError(
            f"key {key.name!r} is revoked, for good: `waybill keys create` makes one of another name"
        )
    return key


def _check_priority(priority: str) -> None:
    if priority not in PRIORITIES:
        raise UsageError(f"{priority!r} is no priority: {', '.join(PRIORITIES)}")
