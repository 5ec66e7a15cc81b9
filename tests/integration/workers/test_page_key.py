"""The key of the demo's page: a demo gets one whatever became of those before."""

from __future__ import annotations

from tasks.api_keys import keys
from tasks.store.api.keys import list_keys
from tasks.store.engine import Store
from workers.demo.page_key import new_page_key


def _names(store: Store) -> dict[str, bool]:
    with store.read() as connection:
        return {key.name: key.revoked_at is None for key in list_keys(connection)}


def test_a_demo_after_another_gets_the_same_key_with_a_new_text(sqlite: Store) -> None:
    first, second = new_page_key(sqlite), new_page_key(sqlite)
    assert first != second
    assert _names(sqlite) == {"demo": True}


def test_a_demo_after_its_key_was_revoked_gets_another_and_leaves_that_revoked(sqlite: Store) -> None:
    new_page_key(sqlite)
    keys.revoke(sqlite, "demo")
    for _ in range(2):
        assert new_page_key(sqlite)
        assert _names(sqlite) == {"demo": False, "demo-2": True}
    keys.revoke(sqlite, "demo-2")
    new_page_key(sqlite)
    assert _names(sqlite) == {"demo": False, "demo-2": False, "demo-3": True}
