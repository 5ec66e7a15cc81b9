"""Files that only their owner may read."""

import stat
from pathlib import Path

from workers.stack.private_files import load_or_create_password, write_private


def test_a_private_file_is_readable_by_its_owner_alone_from_the_start(tmp_path: Path) -> None:
    file = tmp_path / "run" / "secret"
    write_private(file, "one")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    write_private(file, "two")
    assert file.read_text() == "two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_a_password_is_made_once_and_kept(tmp_path: Path) -> None:
    first = load_or_create_password(tmp_path / "password")
    assert len(first) >= 32
    assert load_or_create_password(tmp_path / "password") == first
    assert load_or_create_password(tmp_path / "other") != first
