"""Caps on what clients may take of a server: connections, requests of one key, its storage, and patience."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest
from openai import APIStatusError, OpenAI, RateLimitError

from tests.support import api
from tests.support.api import ApiServer, chat_line, connect, create_batch, http
from tests.support.holding import Hold
from tests.support.stack import Stack
from tests.support.waiting import wait_until

_CONNECTIONS = 8
_PATIENCE_S = 2.0
#: of tests
_WAIT_S = 200.0


def _server(stack: Stack, **settings: str) -> Iterator[ApiServer]:
    server = api.start_api(
        stack, environment={f"WAYBILL_API__{name}": text for name, text in settings.items()}
    )
    yield server
    server.process.terminate()


@pytest.fixture(scope="module")
def small(stack: Stack) -> Iterator[ApiServer]:
    """A server for eight connections, with little room."""
    yield from _server(stack, MAX_CONNECTIONS=str(_CONNECTIONS), PATIENCE_S="600", MAX_STORED_GB="0.05")


@pytest.fixture(scope="module")
def impatient(stack: Stack) -> Iterator[ApiServer]:
    """A server with little patience."""
    yield from _server(stack, PATIENCE_S=str(_PATIENCE_S))


def test_more_connections_than_there_may_be_are_closed_at_once(small: ApiServer, openai: OpenAI) -> None:
    with ExitStack() as opened:
        idle = [opened.enter_context(connect(small)) for _ in range(_CONNECTIONS)]
        wait_until(lambda: _is_closed(opened.enter_context(connect(small))), timeout_s=_WAIT_S)
        assert not _is_closed(idle[-1])
    with api.client(small, openai.api_key) as client:
        wait_until(lambda: _succeeds(client), timeout_s=_WAIT_S)


def _is_closed(connection: socket.socket, within_s: float = 0.3) -> bool:
    connection.settimeout(within_s)
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
    small: ApiServer, new_client: Callable[..., OpenAI], stack: Stack
) -> None:
    with ExitStack() as opened:
        mine, other = (opened.enter_context(api.client(small, new_client().api_key)) for _ in range(2))
        hold = opened.enter_context(Hold(stack.simulator.client))
        batch = create_batch(mine, [chat_line(1, prompt=hold.marker)])
        with http(small, mine.api_key) as client, ExitStack() as streams:
            for _ in range(_CONNECTIONS // 4):
                streams.enter_context(client.stream("GET", f"/v1/batches/{batch.id}/events"))
            with pytest.raises(RateLimitError) as refused:
                mine.models.list()
            assert refused.value.response.headers["retry-after"] == "1"
            assert _succeeds(other)
        wait_until(lambda: _succeeds(mine), timeout_s=_WAIT_S)


def test_slow_clients_are_sent_away_and_do_not_hold_up_others(impatient: ApiServer, openai: OpenAI) -> None:
    with ExitStack() as opened:
        silent = [opened.enter_context(connect(impatient)) for _ in range(20)]
        head, body = (opened.enter_context(connect(impatient)) for _ in range(2))
        head.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n")
        body.sendall(
            b"POST /v1/batches HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n"
            b"authorization: Bearer " + openai.api_key.encode() + b"\r\n\r\n{"
        )
        opened.enter_context(api.client(impatient, openai.api_key, max_retries=9)).models.list()
        for connection in (*silent, head):
            assert _is_closed(connection, _WAIT_S)
        assert b" 408 " in body.recv(65_536)


def test_a_client_that_does_not_read_is_sent_away(impatient: ApiServer, openai: OpenAI) -> None:
    size = 40 << 20
    file = openai.files.create(file=("x", b"x" * size), purpose="batch")
    with connect(impatient) as connection:
        head = f"GET /v1/files/{file.id}/content HTTP/1.1\r\nhost: x\r\n"
        connection.sendall(f"{head}authorization: Bearer {openai.api_key}\r\n\r\n".encode())
        wait_until(lambda: "content 200 " in impatient.log and file.id in impatient.log, timeout_s=_WAIT_S)
        got = 0
        try:
            while part := connection.recv(1 << 20):
                got += len(part)
        except ConnectionResetError:
            pass
    assert got < size
    openai.files.delete(file.id)


def test_a_body_may_come_slowly_but_not_stop(impatient: ApiServer, openai: OpenAI) -> None:
    assert _send_slowly(impatient, openai, pieces=1) == b"408"
    # A machine that stands still for a moment stops, too; with less patience than the whole takes, all would.
    assert b"200" in (_send_slowly(impatient, openai, pieces=None) for _ in range(20))


def _send_slowly(server: ApiServer, openai: OpenAI, *, pieces: int | None) -> bytes:
    """Send a body piece by piece, in more time than the server's patience; returns the status."""
    head = f"POST /v1/uploads HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {openai.api_key}\r\n"
    body = b'{"bytes": 1, "filename": "x", "mime_type": "x", "purpose": "batch"}'
    starts = range(0, len(body), 15)
    with connect(server) as connection:
        connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode())
        for start in starts[:pieces]:
            with suppress(OSError):
                connection.sendall(body[start : start + 15])
            time.sleep(1.1 * _PATIENCE_S / len(starts))
        try:
            return connection.recv(65_536).partition(b"\r\n")[0].split()[1]
        except OSError:
            return b"408"


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
