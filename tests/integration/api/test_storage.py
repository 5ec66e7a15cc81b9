"""The file storages: a folder, and an object store behind S3's protocol."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.errors import SettingsError
from tasks.files.objects import ObjectStorage
from tasks.files.storage import FileStorage, FolderStorage, new_name
from tests.support.s3_server import BUCKET, s3_server


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str | None]:
    with s3_server() as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        yield None if environment is None else f"s3://{BUCKET}/files"


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> FileStorage:
    if request.param == "folder":
        return FolderStorage(tmp_path / "files")
    url: str | None = request.getfixturevalue("s3_url")
    if url is None:
        pytest.skip("moto cannot be installed here")
    return ObjectStorage(f"{url}/{tmp_path.name}")


def _names(storage: FileStorage) -> list[str]:
    return list(storage.drafts_and_files(-60))


def _is_there(storage: FileStorage, name: str) -> bool:
    try:
        with storage.open(name) as stream:
            return bool(stream.read(1))
    except OSError:
        return False


def test_a_finished_file_is_there_as_it_was_written(storage: FileStorage) -> None:
    content = os.urandom(20 << 20)
    name = new_name()
    draft = storage.draft(name)
    for start in range(0, len(content), 3 << 20):
        draft.write(content[start : start + (3 << 20)])
    assert draft.size == len(content)
    assert draft.finish() == hashlib.sha256(content).hexdigest()
    draft.discard()  # has no effect any more
    with storage.open(name) as stream:
        assert stream.read() == content
    assert b"".join(storage.pieces(name, 0, len(content))) == content
    assert b"".join(storage.pieces(name, 9 << 20, (9 << 20) + 7)) == content[9 << 20 : (9 << 20) + 7]
    assert _names(storage) == [name]
    storage.delete(name)
    storage.delete(name)
    assert _names(storage) == []
    assert not _is_there(storage, name)


def test_a_draft_that_is_not_finished_is_no_file(storage: FileStorage) -> None:
    name = new_name()
    draft = storage.draft(name)
    draft.write(b"x" * (9 << 20))
    assert not _is_there(storage, name)
    draft.discard()
    assert _names(storage) == []


def test_files_of_others_in_the_same_place_are_not_listed(storage: FileStorage) -> None:
    name = new_name()
    for one in (name, "notes", "x.part"):
        draft = storage.draft(one)
        draft.write(b"x")
        draft.finish()
    assert _names(storage) == [name]


def test_a_storage_that_cannot_be_used_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError):
        FolderStorage(tmp_path / "file" / "below")
    with pytest.raises(SettingsError):
        ObjectStorage("hf://somewhere")
