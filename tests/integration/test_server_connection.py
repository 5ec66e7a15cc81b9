"""Calls of the Python API to a server that refuses, fails or hangs up; tests of a real one are elsewhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tasks.errors import UnknownBatch, UsageError
from waybill import Waybill
from workers.backends.server import connection, creation
from workers.backends.server.connection import Connection
from workers.errors import ServerError

KEY = "sk-wb-a-secret"


class Server(ThreadingHTTPServer):
    """Answers with what a test has put in, one after the other: a status, headers, JSON; None hangs up."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, dict[str, str], object] | None] = []
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        answer = self.server.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        status, headers, body = answer
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(connection, "_PAUSES", (0.0, 0.0))
    with Server() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def calls(server: Server) -> Iterator[Connection]:
    calls = Connection(server.url, f" {KEY}\n")
    yield calls
    calls.close()


def refused(message: str) -> dict[str, object]:
    return {"error": {"message": message, "type": "t", "param": None, "code": None}}


def test_what_passes_is_tried_again_and_what_is_final_is_not(server: Server, calls: Connection) -> None:
    server.answers = [(503, {}, {}), (429, {"retry-after": "0"}, refused("later")), (200, {}, {"data": []})]
    assert calls.get("/batches") == {"data": []}
    server.answers = [(429, {"x-should-retry": "false"}, refused("the budget is used up"))]
    with pytest.raises(UsageError, match="the budget is used up"):
        calls.get("/batches")
    assert [path for _, path, _ in server.asked] == ["/v1/batches"] * 4
    assert {headers["authorization"] for _, _, headers in server.asked} == {f"Bearer {KEY}"}


def test_a_call_whose_answer_is_lost_is_made_again_unless_it_must_not_be(
    server: Server, calls: Connection
) -> None:
    server.answers = [(200, {}, {}), None, (200, {}, {"id": "batch_1"})]
    calls.get("/models")
    assert calls.post("/batches", json={}, headers={"idempotency-key": "k"}) == {"id": "batch_1"}
    assert [headers.get("idempotency-key") for _, _, headers in server.asked] == [None, "k", "k"]
    server.asked.clear()
    server.answers = [None]
    with pytest.raises(ServerError, match="does not answer"):
        calls.post("/batches/batch_1/retry", json={}, repeats=False)
    assert len(server.asked) == 1


def test_a_server_that_goes_on_failing_is_named_without_what_it_says(
    server: Server, calls: Connection
) -> None:
    server.answers = [(500, {}, refused("a prompt"))] * 3
    with pytest.raises(ServerError, match=r"127\.0\.0\.1:\d+/v1 answers 500$"):
        calls.get("/batches")
    server.answers = [(200, {}, b"<html>a prompt")]
    with pytest.raises(ServerError, match=r"answers no JSON: is it the address of `waybill api`\?$"):
        calls.get("/batches")


def test_a_server_that_never_answered_is_not_waited_for(server: Server, calls: Connection) -> None:
    server.answers = [None]
    with pytest.raises(ServerError, match="does not answer"):
        calls.get("/batches")
    assert len(server.asked) == 1


def test_what_is_not_there_is_an_unknown_batch(server: Server, calls: Connection) -> None:
    server.answers = [(404, {}, refused("no such batch: 'batch_1'"))]
    with pytest.raises(UnknownBatch, match="'batch_1'"):
        calls.get("/batches/batch_1/progress")


def test_a_creation_that_may_have_happened_says_so(server: Server) -> None:
    file, hung_up = (200, {}, {"id": "file-1"}), [None] * 3
    server.answers = [(200, {}, {"data": [{"id": "auto"}, {"id": "small"}]}), file, *hung_up]
    with Waybill(url=server.url, key=KEY) as waybill, pytest.raises(ServerError) as caught:
        waybill.submit(["a"], budget=1)
    assert caught.value.__notes__ == [
        "the batch may have been created all the same: `Waybill.batches` shows it"
    ]
    keys = {headers.get("idempotency-key") for _, path, headers in server.asked if path == "/v1/batches"}
    assert len(keys) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_batch_that_exists_is_returned_though_nobody_can_say_how_its_check_goes(
    server: Server, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(creation, "_POLLS_S", (0.0, 0.0))
    models = {"data": [{"id": "auto"}, {"id": "small"}]}
    batch = {"id": "batch_1", "status": "validating", "errors": None, "input_file_id": "file-1"}
    server.answers = [(200, {}, one) for one in (models, {"id": "file-1"}, batch, batch)]
    server.answers.append((status, {}, refused("not now")))
    with Waybill(url=server.url, key=KEY) as waybill:
        assert waybill.submit(["a"], budget=1).id == "batch_1"
    assert [command for command, *_ in server.asked] == ["GET", "POST", "POST", "GET", "GET"]


@pytest.mark.parametrize("key", ["", "sk-wb-…", "two words", "sk-wb-a\nb", 7])
def test_what_is_no_key_is_refused_without_showing_it(key: object) -> None:
    with pytest.raises(UsageError, match="key is no key of an API server") as caught:
        Connection("http://127.0.0.1:1", key)  # type: ignore[arg-type]
    assert str(key) not in str(caught.value) or not key


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8080", "ftp://host", "http://", "http://a:b@host", "http://host/?k=v"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is the address of an API server"):
        Connection(url, KEY)


@pytest.mark.parametrize("url", ["http://host", "http://host/", "http://host/v1", "http://host/v1/"])
def test_the_address_is_taken_with_and_without_its_version(url: str) -> None:
    assert connection.base_url(url) == "http://host/v1"
