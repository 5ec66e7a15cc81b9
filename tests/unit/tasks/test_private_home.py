"""The home and the database are readable by their owner alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks import private_home
from tasks.errors import SettingsError
from tasks.store.engine import Store
from tasks.store.schema import ensure_schema
from tests.support.closed_folder import closed


@pytest.fixture(autouse=True)
def common_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_database_its_log_and_its_folder_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'home' / 'waybill.db'}")
    ensure_schema(store)
    made = {path.name: mode(path) for path in (tmp_path / "home").iterdir()}
    store.close()
    assert mode(tmp_path / "home") == 0o700
    assert made == {"waybill.db": 0o600, "waybill.db-wal": 0o600, "waybill.db-shm": 0o600}


def test_a_home_of_an_earlier_version_is_mended(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "logs").mkdir(parents=True)
    files = [home / "waybill.db", home / "waybill.db-wal", home / "logs" / "dispatch-1.log"]
    for file in files:
        file.touch()
    assert {mode(home), mode(home / "logs")} == {0o755}
    private_home.secure(home)
    assert {mode(home), mode(home / "logs")} == {0o700}
    assert {mode(file) for file in files} == {0o600}
    assert list(private_home.exposed(home)) == []


def test_a_folder_in_which_the_user_works_keeps_its_mode_but_its_database_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "waybill.db").touch()
    tmp_path.chmod(0o755)
    for place in (tmp_path, tmp_path / "below"):
        monkeypatch.chdir(place)
        private_home.secure(tmp_path)
        assert mode(tmp_path) == 0o755
    assert mode(tmp_path / "waybill.db") == 0o600
    assert list(private_home.exposed(tmp_path)) == [tmp_path]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home" / "waybill.db").symlink_to(tmp_path / "other")
    private_home.secure(tmp_path / "home")
    assert mode(tmp_path / "other") == 0o644


def test_a_home_that_cannot_be_made_stops_no_command_that_does_not_need_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    private_home.secure(tmp_path / "file" / "home")


def test_of_a_home_that_is_a_link_the_folder_is_closed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "disk")
    private_home.secure(tmp_path / "home")
    assert mode(tmp_path / "disk") == 0o700


def test_a_home_in_a_folder_that_another_user_has_closed_stops_no_command(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with closed(tmp_path):
        private_home.secure(home)
        assert list(private_home.exposed(home)) == []
        with pytest.raises(SettingsError, match="cannot be opened: unable to open database file"):
            ensure_schema(Store(f"sqlite:///{home / 'waybill.db'}"))
