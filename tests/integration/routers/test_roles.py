"""Versions and roles in the store, on both databases."""

from pathlib import Path

import pytest

from router_core.router import Router
from tasks.errors import UsageError
from tasks.settings import ModelSettings, Settings
from tasks.store.engine import Store
from tasks.store.routers import roles, versions
from tests.support import store_builders
from tests.support.comparisons import assert_fields
from tests.support.routers import current_roles, promote, register
from workers.routers import promotion


def test_a_version_is_stored_once_with_its_files(store: Store) -> None:
    register(store, "aaa1")
    with store.write() as connection:
        assert not versions.register(connection, "aaa1", {"other": b"x"}, source="again", figures={})
        assert versions.files_of(connection, "aaa1") == {"manifest.json": b"aaa1", "part.npz": b"\x00" * 3}
        with pytest.raises(UsageError, match="no router bbb1"):
            versions.files_of(connection, "bbb1")


def test_a_version_is_found_by_its_first_digits_if_they_are_clear(store: Store) -> None:
    register(store, "aaa1", "aaa2", "bbb1")
    with store.read() as connection:
        assert versions.find(connection, "b").version == "bbb1"
        for unclear, words in (("a", "more than one"), ("c", "no router")):
            with pytest.raises(UsageError, match=words):
                versions.find(connection, unclear)
    with pytest.raises(UsageError, match=r"no router in the store begins with 'c', and no directory"):
        promotion.resolve(store, "c", Settings())


def test_a_router_that_knows_no_model_of_the_settings_is_refused_and_not_stored(
    store: Store, coder_and_writer: Router, tmp_path: Path
) -> None:
    coder_and_writer.save(tmp_path / "router")
    settings = Settings(models=(ModelSettings(name="other", litellm="openai/x"),))
    with pytest.raises(UsageError, match="none of them is here"):
        promotion.resolve(store, str(tmp_path / "router"), settings)
    with store.read() as connection:
        assert versions.list_versions(connection) == []


def test_a_router_named_by_its_directory_is_loaded_once(
    store: Store, coder_and_writer: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coder_and_writer.save(tmp_path / "router")
    loaded, load = list[Path](), Router.load
    monkeypatch.setattr(promotion.Router, "load", lambda path: loaded.append(path) or load(path))
    assert promotion.resolve(store, str(tmp_path / "router"), Settings()) == coder_and_writer.version
    assert loaded == [tmp_path / "router"]


def test_the_champion_before_comes_back_once(store: Store) -> None:
    register(store, "aaa1", "bbb1")
    promote(store, "aaa1")
    promote(store, "bbb1")
    assert current_roles(store) == roles.Roles("bbb1")
    with store.write() as connection:
        assert roles.roll_back(connection, reason="asked") == "aaa1"
    assert current_roles(store) == roles.Roles("aaa1")
    with store.write() as connection, pytest.raises(UsageError, match="no router routed before this one"):
        roles.roll_back(connection, reason="asked")


def test_promoting_the_champion_again_keeps_a_way_back(store: Store) -> None:
    register(store, "aaa1", "bbb1")
    for version in ("aaa1", "bbb1", "bbb1"):
        promote(store, version)
    with store.write() as connection:
        assert roles.roll_back(connection, reason="asked") == "aaa1"


def test_a_canary_needs_a_champion_and_ends_with_a_roll_back(store: Store) -> None:
    register(store, "aaa1", "bbb1")
    with store.write() as connection, pytest.raises(UsageError, match="needs a champion"):
        roles.start_canary(connection, "bbb1", share=0.1)
    promote(store, "aaa1")
    with store.write() as connection:
        roles.start_canary(connection, "bbb1", share=0.1)
    assert_fields(current_roles(store), champion="aaa1", canary="bbb1", share=0.1)
    with store.write() as connection:
        assert roles.roll_back(connection, reason="it fails", canary="bbb1") == "aaa1"
        assert roles.roll_back(connection, reason="it fails", canary="bbb1") == "aaa1"
    assert current_roles(store) == roles.Roles("aaa1")
    with store.read() as connection:
        happened = [(action, version, reason) for _, action, version, reason in roles.events(connection)]
    assert happened == [
        ("rolled_back", "bbb1", "it fails"),
        ("canary", "bbb1", "for 10% of the requests"),
        ("promoted", "aaa1", "asked"),
    ]


def test_promotions_at_once_leave_one_champion(store: Store) -> None:
    register(store, *(f"v{number}" for number in range(4)))
    store_builders.at_once(4, lambda number: promote(store, f"v{number}"))
    champion = current_roles(store).champion
    assert champion in {f"v{number}" for number in range(4)}
    with store.read() as connection:
        champions = [one.version for one in versions.list_versions(connection) if one.role == "champion"]
    assert champions == [champion]
