"""Caps on what clients may take of a server: connections, requests of one key, its storage, and patience."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from openai import APIStatusError, OpenAI, RateLimitError

from tests.support import api
from tests.support.api import ApiServer, chat_line, connect, create_batch, http
from tests.support.stack import Stack
from tests.support.waiting import wait_until

_CONNECTIONS = 8


@pytest.fixture(scope="module")
def small(stack: Stack) -> Iterator[ApiServer]:
    """A server for eight connections, with little patience and little room."""
    settings = {"MAX_CONNECTIONS": str(_CONNECTIONS), "PATIENCE_S": "2", "MAX_STORED_GB": "0.05"}
    server = api.start_api(
        stack, environment={f"WAYBILL_API__{name}": text for name, text in settings.items()}
    )
    yield server
    server.process.terminate()


def test_more_connections_than_there_may_be_are_closed_at_once(small: ApiServer, openai: OpenAI) -> None:
    with ExitStack() as opened:
        idle = [opened.enter_context(connect(small)) for _ in range(_CONNECTIONS)]
        wait_until(lambda: _is_closed(opened.enter_context(connect(small))), timeout_s=5)
        assert not _is_closed(idle[-1])
    wait_until(lambda: _succeeds(api.client(small, openai.api_key)), timeout_s=10)


def _is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0.3)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


def _succeeds(client: OpenAI) -> bool:
    try:
        return bool(client.models.list().data)
    except Exception:
        return False


def test_one_key_gets_a_quarter_of_the_requests_at_once(
    small: ApiServer, new_client: Callable[..., OpenAI]
) -> None:
    mine, other = (api.client(small, new_client().api_key) for _ in range(2))
    batch = create_batch(mine, [chat_line(1, prompt="[[sim:latency=10000]] slow")])
    with http(small, mine.api_key) as client, ExitStack() as streams:
        for _ in range(_CONNECTIONS // 4):
            streams.enter_context(client.stream("GET", f"/v1/batches/{batch.id}/events"))
        with pytest.raises(RateLimitError) as refused:
            mine.models.list()
        assert refused.value.response.headers["retry-after"] == "1"
        assert _succeeds(other)
    wait_until(lambda: _succeeds(mine), timeout_s=10)


def test_a_client_that_does_not_read_is_sent_away(small: ApiServer, openai: OpenAI) -> None:
    size = 40 << 20
    mine = api.client(small, openai.api_key)
    file = mine.files.create(file=("x", b"x" * size), purpose="batch")
    with connect(small) as connection:
        head = f"GET /v1/files/{file.id}/content HTTP/1.1\r\nhost: x\r\n"
        connection.sendall(f"{head}authorization: Bearer {mine.api_key}\r\n\r\n".encode())
        wait_until(lambda: "content 200 " in small.log and file.id in small.log, timeout_s=15)
        got = 0
        try:
            while part := connection.recv(1 << 20):
                got += len(part)
        except ConnectionResetError:
            pass
    assert got < size
    mine.files.delete(file.id)


def test_a_body_may_come_slowly_but_not_stop(small: ApiServer, openai: OpenAI) -> None:
    head = f"POST /v1/uploads HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {openai.api_key}\r\n"
    body = b'{"bytes": 1, "filename": "x", "mime_type": "x", "purpose": "batch"}'
    for stops in (False, True):
        with connect(small) as connection:
            connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode())
            for start in range(0, len(body), 20):
                if stops and start:
                    break
                connection.sendall(body[start : start + 20])
                time.sleep(0.8)
            assert connection.recv(65_536).partition(b"\r\n")[0].split()[1] == (b"408" if stops else b"200")


def test_the_files_of_a_key_have_no_more_room_than_they_may(
    small: ApiServer, new_client: Callable[..., OpenAI], stack: Stack
) -> None:
    client = api.client(small, new_client().api_key)
    first = client.files.create(file=("x", b"x" * (30 << 20)), purpose="batch")
    announced = {"filename": "x", "mime_type": "x", "purpose": "batch"}
    upload = client.uploads.create(bytes=15 << 20, **announced)  # type: ignore[arg-type]
    before = set((stack.home / "files").iterdir())
    for call in (
        lambda: client.files.create(file=("x", b"x" * (8 << 20)), purpose="batch"),
        lambda: client.uploads.create(bytes=8 << 20, **announced),  # type: ignore[arg-type]
    ):
        with pytest.raises(APIStatusError) as refused:
            call()
        assert refused.value.status_code == 413
    assert set((stack.home / "files").iterdir()) <= before, "others may be cleaned away meanwhile"
    client.uploads.cancel(upload.id)
    client.files.create(file=("x", b"x" * (8 << 20)), purpose="batch")
    client.files.delete(first.id)
    client.uploads.create(bytes=30 << 20, **announced)  # type: ignore[arg-type]
