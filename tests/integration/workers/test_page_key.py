"""The key of the demo's page: a demo gets one whatever became of those before."""

from __future__ import annotations

from pathlib import Path

from tasks.api_keys import keys
from tasks.store.api.keys import list_keys
from tasks.store.engine import Store
from workers.demo.page_key import new_page_key


def _names(store: Store) -> dict[str, bool]:
    with store.read() as connection:
        return {key.name: key.revoked_at is None for key in list_keys(connection)}


def test_a_demo_after_another_gets_the_same_key_with_a_new_text(store: Store, tmp_path: Path) -> None:
    first, second = (new_page_key(store, tmp_path / "key") for _ in range(2))
    assert first != second
    assert _names(store) == {"demo": True}


def test_a_demo_after_its_key_was_revoked_gets_another_and_leaves_that_revoked(
    store: Store, tmp_path: Path
) -> None:
    note = tmp_path / "key"
    new_page_key(store, note)
    keys.revoke(store, "demo")
    for _ in range(2):
        assert new_page_key(store, note)
        assert _names(store) == {"demo": False, "demo-2": True}
    keys.revoke(store, "demo-2")
    new_page_key(store, note)
    assert _names(store) == {"demo": False, "demo-2": False, "demo-3": True}


def test_a_key_of_somebody_else_keeps_its_text_whatever_its_name(store: Store, tmp_path: Path) -> None:
    others = {name: keys.create(store, name)[1] for name in ("demo", "demo-2")}
    for _ in range(2):
        new_page_key(store, tmp_path / "key")
    assert _names(store) == {"demo": True, "demo-2": True, "demo-3": True}
    assert [keys.owner_of(store, text) for text in others.values()].count(None) == 0
