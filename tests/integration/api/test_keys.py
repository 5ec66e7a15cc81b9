"""Keys in the store: budgets, rates, rotation."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import select, update

from tasks.api_keys import keys as made
from tasks.errors import UsageError
from tasks.store.api import audit, keys
from tasks.store.api.tables import api_key
from tasks.store.engine import Store
from tests.support import store_builders


def test_only_a_hash_of_a_key_is_stored(store: Store) -> None:
    key, text = made.create(store, "team")
    with store.read() as connection:
        row = connection.execute(select(api_key)).mappings().one()
    assert text.split("-", 3)[3] not in str(dict(row))
    assert made.owner_of(store, text) == key
    assert made.owner_of(store, text[:-1]) is None


def test_a_name_is_one_key_s_only(store: Store) -> None:
    made.create(store, "team")
    with pytest.raises(UsageError, match="already"):
        made.create(store, "team")
    for name in ("", " ", "x" * 65, "a\nb"):
        with pytest.raises(UsageError):
            made.create(store, name)


def test_the_limits_of_a_key_change_at_once_and_what_is_not_named_stays(store: Store) -> None:
    _, text = made.create(store, "team", budget_day=100, models=["a", "b"], rpm=5)
    made.update(store, "team", {"rpm": 60, "priority": "low"}, remove=["models"])
    key = made.owner_of(store, text)
    assert key is not None
    assert (key.budget_day, key.models, key.rpm, key.priority) == (100, None, 60, "low")
    with store.read() as connection:
        entry = audit.latest(connection, owner=key.id, limit=1)[0]
    assert (entry["action"], entry["detail"]) == (
        "key.update",
        {"rpm": 60, "priority": "low", "models": None},
    )


@pytest.mark.parametrize(
    ("changed", "remove"),
    [({}, []), ({"priority": "urgent"}, []), ({}, ["name"]), ({}, ["priority"]), ({"rpm": 3}, ["rpm"])],
)
def test_what_is_no_change_of_a_limit_is_refused(
    store: Store, changed: dict[str, object], remove: list[str]
) -> None:
    made.create(store, "team", rpm=5)
    with pytest.raises(UsageError):
        made.update(store, "team", changed, remove=remove)
    with store.read() as connection:
        assert keys.find(connection, "team").rpm == 5


def test_the_advice_about_a_revoked_key_leads_to_a_new_one(store: Store) -> None:
    made.create(store, "team")
    with pytest.raises(UsageError, match="rotate"):
        made.create(store, "team")
    made.revoke(store, "team")
    for refused in (lambda: made.rotate(store, "team"), lambda: made.update(store, "team", {"rpm": 1})):
        with pytest.raises(UsageError, match="create` makes one of another name"):
            refused()
    with pytest.raises(UsageError, match="revoked, and of its batches: choose another"):
        made.create(store, "team")
    made.create(store, "team-2")


def test_the_old_text_of_a_rotated_key_holds_as_long_as_said(store: Store) -> None:
    key, old = made.create(store, "team")
    _, new = made.rotate(store, "team", keep_s=60)
    assert made.owner_of(store, old) == made.owner_of(store, new) == key
    with store.write() as connection:
        connection.execute(update(api_key).values(previous_until=1))
    assert made.owner_of(store, old) is None
    assert made.owner_of(store, new) == key
    made.revoke(store, "team")
    assert made.owner_of(store, new) is None
    with pytest.raises(UsageError, match="revoked"):
        made.rotate(store, "team")


def test_no_more_requests_pass_than_the_rate_allows_however_many_ask_at_once(store: Store) -> None:
    key, _ = made.create(store, "team")

    def ask(_: int) -> float:
        with store.write() as connection:
            return keys.wait_of_next_request(connection, key.id, 10)

    began = time.monotonic()
    waits = store_builders.at_once(4, lambda n: [ask(n) for _ in range(5)])
    passed = [wait for part in waits for wait in part if not wait]
    assert 10 <= len(passed) <= 10 + (time.monotonic() - began) / 6
    assert all(0 < wait <= 6 for part in waits for wait in part if wait)
