"""The audit log: every act on a key, a file or a batch, in the transaction that does it."""

from __future__ import annotations

import pytest

from tasks.api_keys import keys
from tasks.batch_api import ending
from tasks.batch_api.errors import ApiError
from tasks.store.api import audit, files
from tasks.store.engine import Store
from tasks.webhooks import targets
from tests.support.tenants import Tenant


def _entries(store: Store, owner: str | None = None) -> list[tuple[str, str, str]]:
    with store.read() as connection:
        found = audit.latest(connection, owner=owner, limit=100)
    return [(entry["actor"], entry["action"], entry["subject"]) for entry in reversed(found)]


def test_what_a_key_does_is_written_down(tenant: Tenant, store: Store) -> None:
    mine = tenant.key.id
    batch = tenant.create(metadata={"waybill_budget_usd": "0.5"})
    other = tenant.create(batch["input_file_id"], metadata={"n": "2"})
    tenant.validator.take_one()
    with store.write() as connection:
        for _ in range(2):  # the second changes nothing
            ending.cancel(connection, tenant.row(batch["id"]))
            ending.cancel(connection, tenant.row(other["id"]))
    with store.write() as connection:
        assert files.delete(connection, mine, batch["input_file_id"])
        assert not files.delete(connection, mine, batch["input_file_id"])
    assert _entries(store) == [
        ("operator", "key.create", mine),
        (mine, "file.create", batch["input_file_id"]),
        (mine, "batch.create", batch["id"]),
        (mine, "batch.create", other["id"]),
        (mine, "batch.cancel", batch["id"]),
        (mine, "batch.cancel", other["id"]),
        (mine, "file.delete", batch["input_file_id"]),
    ]
    with store.read() as connection:
        entries = audit.latest(connection, owner=mine, limit=5)
    assert entries[-1]["detail"] == {"file": batch["input_file_id"], "budget": 500_000}


def test_what_an_operator_does_to_a_key_is_written_down(tenant: Tenant, store: Store) -> None:
    mine = tenant.key.id
    targets.set_for_key(store, "team", "https://user:secret@example.com/hook?token=secret")
    targets.remove_for_key(store, "team")
    keys.rotate(store, "team", keep_s=60)
    keys.revoke(store, "team")
    other, text = keys.create(store, "other")
    acts = ("key.create", "webhook.set", "webhook.remove", "key.rotate", "key.revoke")
    assert _entries(store, mine) == [("operator", act, mine) for act in acts]
    assert _entries(store, other.id) == [("operator", "key.create", other.id)]
    with store.read() as connection:
        shown = str([dict(entry) for entry in audit.latest(connection, owner=None, limit=100)])
    assert "secret" not in shown
    assert text.split("-", 3)[3] not in shown


def test_what_is_refused_is_not_written_down(tenant: Tenant, store: Store) -> None:
    with pytest.raises(ApiError):
        tenant.create("file-none")
    assert [act for _, act, _ in _entries(store)] == ["key.create"]
