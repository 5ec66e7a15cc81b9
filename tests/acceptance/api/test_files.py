"""Files through the official client and plain HTTP: upload, content, pages, deletion."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import httpx
import pytest
from openai import BadRequestError, ConflictError, NotFoundError, OpenAI
from sqlalchemy import update

from tasks.store.api.tables import api_batch
from tests.support import api
from tests.support.api import (
    ApiServer,
    await_end,
    chat_line,
    create_batch,
    http,
    lines_of,
)
from tests.support.holding import Hold
from tests.support.stack import Stack
from tests.support.waiting import wait_until

_FORM = {"content-type": "multipart/form-data; boundary=b"}


def _part(headers: bytes) -> bytes:
    """Return a form with a file whose part has more headers."""
    disposition = b'content-disposition: form-data; name="file"; filename="x"\r\n'
    return b"--b\r\n" + disposition + headers + b"\r\n{}\r\n--b--\r\n"


def test_a_file_is_stored_and_given_back_as_it_was(openai: OpenAI) -> None:
    content = bytes(range(256)) * 5_000  # longer than the blocks that are written at a time
    file = openai.files.create(file=("a/../b.jsonl", content), purpose="batch")
    assert (file.bytes, file.filename, file.status) == (len(content), "b.jsonl", "processed")
    assert file.expires_at == file.created_at + 2_592_000
    assert openai.files.content(file.id).content == content
    assert openai.files.retrieve(file.id) == file
    assert openai.files.wait_for_processing(file.id).status == "processed"


def test_a_file_is_kept_as_long_as_asked_for(openai: OpenAI) -> None:
    kept = {"anchor": "created_at", "seconds": 3_600}
    file = openai.files.create(file=("x.jsonl", b"{}"), purpose="batch", expires_after=kept)  # type: ignore[arg-type]
    assert file.expires_at == file.created_at + 3_600
    kept = {"anchor": "created_at", "seconds": 5}
    with pytest.raises(BadRequestError) as refused:
        openai.files.create(file=("x.jsonl", b"{}"), purpose="batch", expires_after=kept)  # type: ignore[arg-type]
    assert refused.value.param == "expires_after"


def test_a_deleted_file_is_gone(openai: OpenAI, stack: Stack) -> None:
    before = set((stack.home / "files").iterdir())
    file = openai.files.create(file=("x.jsonl", b"{}"), purpose="batch")
    [path] = set((stack.home / "files").iterdir()) - before
    assert openai.files.delete(file.id).deleted
    assert not path.exists()
    for call in (openai.files.retrieve, openai.files.content, openai.files.delete):
        with pytest.raises(NotFoundError):
            call(file.id)
    with pytest.raises(NotFoundError):
        openai.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")


def test_a_file_that_the_storage_has_lost_is_an_error_of_the_server(
    openai: OpenAI, server: ApiServer, stack: Stack
) -> None:
    before = set((stack.home / "files").iterdir())
    file = openai.files.create(file=("x.jsonl", b"{}"), purpose="batch")
    [path] = set((stack.home / "files").iterdir()) - before
    path.unlink()
    with http(server, openai.api_key) as client:
        for headers in ({}, {"range": "bytes=1-"}):
            response = client.get(f"/v1/files/{file.id}/content", headers=headers)
            assert (response.status_code, response.json()["error"]["type"]) == (503, "server_error")


def test_files_come_in_pages_and_by_purpose(openai: OpenAI) -> None:
    ids = [openai.files.create(file=(f"{n}.jsonl", b"{}"), purpose="batch").id for n in range(3)]
    assert [file.id for file in openai.files.list(limit=1)] == ids[::-1]
    assert [file.id for file in openai.files.list(order="asc", limit=2)] == ids
    assert openai.files.list(purpose="batch_output").data == []
    batch = await_end(openai, create_batch(openai, [chat_line(1)]).id)
    assert [file.id for file in openai.files.list(purpose="batch_output")] == [batch.output_file_id]


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({"data": {"purpose": "batch"}, "files": {"document": b"x"}}, "file"),
        ({"data": {"purpose": "fine-tune"}, "files": {"file": b"x"}}, "purpose"),
        ({"data": {}, "files": {"file": b"x"}}, "purpose"),
        ({"data": {"purpose": "batch"}, "files": {"file": b""}}, "file"),
        ({"data": {"purpose": "batch"}, "files": [("file", b"x"), ("file", b"y")]}, "file"),
        ({"data": {"purpose": "b" * 5_000}, "files": {"file": b"x"}}, "purpose"),
        ({"data": {"purpose": ["fine-tune", "batch"]}, "files": {"file": b"x"}}, "purpose"),
        ({"data": {"x": ["y"] * 10_000, "purpose": "batch"}, "files": {"file": b"x"}}, None),
        ({"content": b"--b\r\n", "headers": {"content-type": "multipart/form-data; boundary=b"}}, None),
        ({"content": b"{}", "headers": {"content-type": "application/json"}}, None),
        ({"content": _part(b"x: y\r\n" * 50), "headers": _FORM}, None),
        ({"content": _part(b"x: " + b"y" * 100_000 + b"\r\n"), "headers": _FORM}, None),
        ({"content": b"", "headers": {"content-type": "multipart/form-data; boundary=" + "b" * 300}}, None),
    ],
)
def test_a_malformed_upload_is_refused_and_leaves_nothing(
    openai: OpenAI, server: ApiServer, stack: Stack, form: dict[str, object], param: str | None
) -> None:
    before = set((stack.home / "files").iterdir())
    with http(server, openai.api_key) as client:
        response = client.post("/v1/files", **form)  # type: ignore[arg-type]
    assert response.status_code in (400, 413), response.text
    assert response.json()["error"]["param"] == param
    assert set((stack.home / "files").iterdir()) <= before, "others may be cleaned away meanwhile"


def test_fields_that_the_server_does_not_know_are_passed_over(openai: OpenAI, server: ApiServer) -> None:
    data = {"purpose": "batch", "tags[]": ["a", "b"], "expires_after[anchor]": "created_at"}
    with http(server, openai.api_key) as client:
        for more, status in (({}, 400), ({"expires_after[seconds]": "3600"}, 200)):
            response = client.post("/v1/files", data={**data, **more}, files={"file": ("x", b"{}")})
            assert response.status_code == status


def test_a_form_without_an_end_is_cut_off(stack: Stack, openai: OpenAI) -> None:
    small = api.start_api(stack, environment={"WAYBILL_API__MAX_FILE_MB": "1"})
    field = b'--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    file = b'--b\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\n{}\r\n--b--\r\n'
    headers = {"content-type": "multipart/form-data; boundary=b"}
    with http(small, openai.api_key) as client:
        endless = itertools.chain([field + file], itertools.repeat(b"\r\n" * 30_000, 100))
        response = client.post("/v1/files", content=endless, headers=headers)
    assert response.json()["error"]["code"] == "request_too_large"
    small.process.terminate()


def test_answers_are_read_while_the_batch_runs_and_never_half_a_line(openai: OpenAI, stack: Stack) -> None:
    seen: list[str] = []

    def read(number: int) -> bool:
        """Read what is there; returns whether it is so many lines."""
        nonlocal seen
        batch = openai.batches.retrieve(created.id)
        if batch.output_file_id is None:
            return False
        text = openai.files.content(batch.output_file_id).text
        assert text.endswith("\n")
        ids = [json.loads(line)["custom_id"] for line in text.splitlines()]
        assert ids[: len(seen)] == seen, "the file only grows"
        seen = ids
        return len(seen) == number

    with Hold(stack.simulator.client) as hold:
        created = create_batch(openai, _held_lines(hold))
        for number in (20, 40, 60):
            hold.let_go(20)
            wait_until(lambda number=number: read(number), timeout_s=200)
    batch = await_end(openai, created.id)
    final = [line["custom_id"] for line in lines_of(openai, batch.output_file_id)]
    assert (final[: len(seen)], len(final)) == (seen, 100)


def _held_lines(hold: Hold) -> list[str]:
    return [chat_line(number, prompt=f"{hold.marker} {number}") for number in range(100)]


def test_a_reader_goes_on_where_it_stopped_by_bytes_or_by_line(
    openai: OpenAI, server: ApiServer, stack: Stack
) -> None:
    by_bytes, by_line, path = b"", b"", ""

    def read(number: int) -> bool:
        """Read what is new in both ways; returns whether so many lines are there now."""
        nonlocal by_bytes, by_line, path
        batch = openai.batches.retrieve(created.id)
        if batch.output_file_id is None:
            return False
        path = f"/v1/files/{batch.output_file_id}/content"
        by_bytes += _next_bytes(client, path, len(by_bytes))
        after = {"after": json.loads(by_line.splitlines()[-1])["id"]} if by_line else {}
        by_line += client.get(path, params=after).content
        return by_bytes.count(b"\n") == by_line.count(b"\n") == number

    with http(server, openai.api_key) as client, Hold(stack.simulator.client) as hold:
        created = create_batch(openai, _held_lines(hold))
        for number in (25, 50, 75, 100):
            hold.let_go(25)
            wait_until(lambda number=number: read(number), timeout_s=200)
        await_end(openai, created.id)
        whole = client.get(path).content
        assert client.get(path, headers={"range": f"bytes={len(whole)}-"}).status_code == 416
        for other in ("0" * 16, "f" * 16):
            assert client.get(path, params={"after": f"batch_req_{other}"}).status_code == 400
    assert len(whole.splitlines()) == 100
    assert by_bytes == whole
    assert by_line == whole


def _next_bytes(client: httpx.Client, path: str, start: int) -> bytes:
    response = client.get(path, headers={"range": f"bytes={start}-"})
    if response.status_code == 416:
        return b""
    assert response.status_code == 206
    assert response.headers["content-range"].startswith(f"bytes {start}-")
    assert response.content.endswith(b"\n")
    return response.content


def test_any_range_of_a_finished_file_is_that_part_of_it(openai: OpenAI, server: ApiServer) -> None:
    batch = await_end(openai, create_batch(openai, [chat_line(number) for number in range(30)]).id)
    file = openai.files.retrieve(batch.output_file_id or "")
    whole = openai.files.content(file.id).content
    assert (file.bytes, file.purpose) == (len(whole), "batch_output")
    with http(server, openai.api_key) as client:
        for first, last in ((0, 0), (0, 9), (7, 500), (file.bytes - 1, file.bytes + 5), (100, None)):
            wanted = {"range": f"bytes={first}-{'' if last is None else last}"}
            response = client.get(f"/v1/files/{file.id}/content", headers=wanted)
            end = file.bytes if last is None else min(last + 1, file.bytes)
            assert response.content == whole[first:end]
            assert response.headers["content-range"] == f"bytes {first}-{end - 1}/{file.bytes}"


def test_the_files_of_other_keys_do_not_exist(new_client: Callable[..., OpenAI]) -> None:
    mine, other = new_client(), new_client()
    batch = await_end(mine, create_batch(mine, [chat_line(1)]).id)
    assert batch.output_file_id is not None
    for file_id in (batch.input_file_id, batch.output_file_id):
        for call in (other.files.retrieve, other.files.content, other.files.delete):
            with pytest.raises(NotFoundError) as refused:
                call(file_id)
            with pytest.raises(NotFoundError) as unknown:
                call("file-" + "0" * 24)
            assert refused.value.body == {**unknown.value.body, "message": _message(refused.value)}  # type: ignore[dict-item]
    create_options = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
    with pytest.raises(NotFoundError):
        other.batches.create(input_file_id=batch.input_file_id, **create_options)  # type: ignore[arg-type]
    for call in (other.batches.retrieve, other.batches.cancel):  # type: ignore[assignment]
        with pytest.raises(NotFoundError):
            call(batch.id)
    for listing in (other.batches, other.files):
        assert listing.list().data == []
    with pytest.raises(NotFoundError):
        other.batches.list(after=batch.id)
    with pytest.raises(NotFoundError):
        other.files.list(after=batch.input_file_id)
    assert mine.files.retrieve(batch.output_file_id).id == batch.output_file_id


def test_a_file_of_another_key_does_not_exist_while_a_batch_is_made_of_it_either(
    new_client: Callable[..., OpenAI], stack: Stack
) -> None:
    mine, other = new_client(), new_client()
    batch = await_end(mine, create_batch(mine, ["{"]).id)
    with stack.store.write() as connection:
        held = update(api_batch).where(api_batch.c.id == batch.id)
        connection.execute(held.values(state="validating", lease_until=2**62))
    with pytest.raises(ConflictError):
        mine.files.delete(batch.input_file_id)
    with pytest.raises(NotFoundError):
        other.files.delete(batch.input_file_id)


def _message(error: NotFoundError) -> object:
    assert isinstance(error.body, dict)
    return error.body["message"]
