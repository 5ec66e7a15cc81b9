"""Uploads in parts through the official client."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from openai import APIStatusError, BadRequestError, ConflictError, NotFoundError, OpenAI

from tests.support import store_builders
from tests.support.api import await_end, chat_line
from tests.support.stack import Stack


def test_parts_become_a_file_in_the_order_that_is_named(openai: OpenAI, stack: Stack) -> None:
    content = "".join(f"{chat_line(number)}\n" for number in range(10)).encode()
    upload = openai.uploads.create(
        bytes=len(content), filename="b.jsonl", mime_type="application/jsonl", purpose="batch"
    )
    assert (upload.status, upload.object, upload.expires_at) == (
        "pending",
        "upload",
        upload.created_at + 3_600,
    )
    second = openai.uploads.parts.create(upload.id, data=content[1_000:])
    first = openai.uploads.parts.create(upload.id, data=content[:1_000])
    md5 = hashlib.md5(content).hexdigest()
    done = openai.uploads.complete(upload.id, part_ids=[first.id, second.id], md5=md5)
    assert done.file is not None
    assert (done.status, done.file.bytes, done.file.filename) == ("completed", len(content), "b.jsonl")
    assert openai.files.content(done.file.id).content == content
    again = openai.uploads.complete(upload.id, part_ids=[first.id, second.id], md5=md5)
    assert again.file == done.file, "a repeated completion makes no second file"
    batch = openai.batches.create(
        input_file_id=done.file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    assert await_end(openai, batch.id).status == "completed"
    with pytest.raises(ConflictError):
        openai.uploads.parts.create(upload.id, data=b"more")


def test_the_client_s_own_chunked_upload_works(openai: OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    path.write_bytes(b"x" * 300_000)
    done = openai.uploads.upload_file_chunked(
        file=path, mime_type="application/jsonl", purpose="batch", part_size=100_000
    )
    assert done.file is not None
    assert openai.files.content(done.file.id).content == b"x" * 300_000


def test_a_completion_that_does_not_fit_is_refused_and_can_be_mended(openai: OpenAI) -> None:
    upload = openai.uploads.create(bytes=4, filename="x", mime_type="text/plain", purpose="batch")
    part = openai.uploads.parts.create(upload.id, data=b"abcd").id
    for wrong, code in (
        ({"part_ids": []}, "invalid_request"),
        ({"part_ids": [part, part]}, "invalid_request"),
        ({"part_ids": [part], "md5": "0" * 32}, "checksum_mismatch"),
    ):
        with pytest.raises(BadRequestError) as refused:
            openai.uploads.complete(upload.id, **wrong)  # type: ignore[arg-type]
        assert refused.value.code == code
    with pytest.raises(NotFoundError):
        openai.uploads.complete(upload.id, part_ids=["part_0"])
    assert openai.uploads.complete(upload.id, part_ids=[part]).status == "completed"


def test_a_cancelled_upload_takes_no_parts_and_another_key_has_none(
    new_client: Callable[..., OpenAI],
) -> None:
    mine, other = new_client(), new_client()
    upload = mine.uploads.create(bytes=4, filename="x", mime_type="text/plain", purpose="batch")
    part = mine.uploads.parts.create(upload.id, data=b"abcd").id
    for call in (
        lambda: other.uploads.parts.create(upload.id, data=b"abcd"),
        lambda: other.uploads.complete(upload.id, part_ids=[part]),
        lambda: other.uploads.cancel(upload.id),
    ):
        with pytest.raises(NotFoundError):
            call()
    assert mine.uploads.cancel(upload.id).status == "cancelled"
    with pytest.raises(ConflictError):
        mine.uploads.complete(upload.id, part_ids=[part])


def test_parts_that_come_at_once_never_have_more_bytes_than_announced(openai: OpenAI, stack: Stack) -> None:
    upload = openai.uploads.create(bytes=4, filename="x", mime_type="text/plain", purpose="batch")
    before = set((stack.home / "files").iterdir())

    def add(_: int) -> int:
        try:
            openai.uploads.parts.create(upload.id, data=b"abcd")
        except APIStatusError as error:
            return error.status_code
        return 200

    assert sorted(store_builders.at_once(12, add)) == [200] + [413] * 11
    assert len(set((stack.home / "files").iterdir()) - before) == 1
    with pytest.raises(BadRequestError):
        openai.uploads.parts.create(upload.id, data=b"")
