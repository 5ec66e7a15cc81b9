"""The key of the demo's page: a demo gets one whatever became of those before."""

from __future__ import annotations

from tasks.api_keys import keys
from tasks.store.api.keys import list_keys
from tasks.store.engine import Store
from workers.demo.page_key import new_page_key


def _names(store: Store) -> dict[str, bool]:
    with store.read() as connection:
        return {key.name: key.revoked_at is None for key in list_keys(connection)}


def test_a_demo_after_another_gets_the_same_key_with_a_new_text(store: Store) -> None:
    first, second = new_page_key(store), new_page_key(store)
    assert first != second
    assert _names(store) == {"demo": True}


def test_a_demo_after_its_key_was_revoked_gets_another_and_leaves_that_revoked(store: Store) -> None:
    new_page_key(store)
    keys.revoke(store, "demo")
    for _ in range(2):
        assert new_page_key(store)
        assert _names(store) == {"demo": False, "demo-2": True}
    keys.revoke(store, "demo-2")
    new_page_key(store)
    assert _names(store) == {"demo": False, "demo-2": False, "demo-3": True}
