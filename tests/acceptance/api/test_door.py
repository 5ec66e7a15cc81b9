"""What is refused at the door, and how: shapes of errors, keys, limits, and what the log holds."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from openai import AuthenticationError, OpenAI, PermissionDeniedError, RateLimitError

from tasks.api_keys import keys
from tests.support import api
from tests.support.api import ApiServer, await_end, chat_line, connect, create_batch, http
from tests.support.holding import Hold
from tests.support.stack import Stack
from tests.support.waiting import wait_until


def test_a_request_without_a_valid_key_is_refused(server: ApiServer, openai: OpenAI) -> None:
    damaged = openai.api_key[:-1] + ("A" if openai.api_key[-1] != "A" else "B")
    for key in (damaged, "sk-wb-0000000000000000-" + "x" * 43, "x", "\u00e9"):
        with http(server) as client:
            response = client.get("/v1/batches", headers={"authorization": f"Bearer {key}".encode()})
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"
    with pytest.raises(AuthenticationError):
        api.client(server, damaged).models.list()


def test_a_revoked_key_opens_nothing_and_a_rotated_one_as_long_as_said(
    server: ApiServer, stack: Stack
) -> None:
    old = api.new_key(stack, "rotated")
    _, new = keys.rotate(stack.store, "rotated", keep_s=3_600)
    _, newest = keys.rotate(stack.store, "rotated")
    for key, is_valid in ((old, False), (new, False), (newest, True)):
        with http(server, key) as client:
            assert client.get("/v1/models").is_success is is_valid
    _, last = keys.rotate(stack.store, "rotated", keep_s=3_600)
    for key in (newest, last):
        api.client(server, key).models.list()
    keys.revoke(stack.store, "rotated")
    with pytest.raises((AuthenticationError, PermissionDeniedError)):
        api.client(server, last).models.list()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("GET", "/v1/nothing", None, 404),
        ("GET", "/v1/batches/" + "x" * 100, None, 404),
        ("GET", "/v1/batches/" + "x" * 5_000, None, 414),
        ("PATCH", "/v1/batches", None, 405),
        ("GET", "/v1/batches?limit=101", None, 400),
        ("GET", "/v1/batches?limit=-1", None, 400),
        ("GET", "/v1/batches?limit=%E0%A5%AB", None, 400),
        ("GET", "/v1/files?order=up", None, 400),
        ("GET", "/v1/batches?after=" + "x" * 5_000, None, 414),
        ("GET", "/v1/models/none", None, 404),
        ("POST", "/v1/batches", b"{", 400),
        ("POST", "/v1/batches", b"\xff", 400),
        ("POST", "/v1/batches", b"[]", 400),
        ("POST", "/v1/uploads/x/complete", b'{"part_ids": [], "more": NaN}', 400),
        ("POST", "/v1/batches", b"[" * 100_000, 400),
        ("POST", "/v1/batches", b'{"metadata":' + b'{"a":' * 40 + b"1" + b"}" * 41, 400),
        ("POST", "/v1/batches", b" " * 300_000, 413),
        ("POST", "/v1/batches", b'{"input_file_id": 5}', 400),
        ("POST", "/v1/batches", b"{}", 400),
        ("GET", "/v1/files/%00", None, 400),
        ("GET", "/v1/files?after=%00", None, 400),
        ("GET", "/v1/files/%ff%fe", None, 404),
        (
            "POST",
            "/v1/batches",
            b'{"input_file_id": "\\u0000", "endpoint": "x", "completion_window": "x"}',
            400,
        ),
        (
            "POST",
            "/v1/uploads",
            b'{"bytes": 1, "filename": "\\ud800", "mime_type": "x", "purpose": "batch"}',
            400,
        ),
        (
            "POST",
            "/v1/uploads",
            b'{"bytes": 1e400, "filename": "x", "mime_type": "x", "purpose": "batch"}',
            400,
        ),
        (
            "POST",
            "/v1/uploads",
            b'{"bytes": true, "filename": "x", "mime_type": "x", "purpose": "batch"}',
            400,
        ),
        ("POST", "/v1/uploads/x/complete", b'{"part_ids": [1]}', 400),
    ],
)
def test_every_error_has_openai_s_shape_and_a_request_id(
    server: ApiServer, openai: OpenAI, method: str, path: str, body: bytes | None, status: int
) -> None:
    with http(server, openai.api_key) as client:
        response = client.request(method, path, content=body)
    assert response.status_code == status
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"]
    assert response.headers["x-request-id"].startswith("req_")
    assert "access-control-allow-origin" not in response.headers


def test_a_405_names_all_methods_of_the_path(server: ApiServer, openai: OpenAI) -> None:
    with http(server, openai.api_key) as client:
        for path, methods in (("files", {"GET", "HEAD", "POST"}), ("files/x", {"GET", "HEAD", "DELETE"})):
            response = client.patch(f"/v1/{path}")
            assert response.status_code == 405
            assert set(response.headers["allow"].split(", ")) == methods


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 10_000, b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: " + b"y" * 40_000 + b"\r\n\r\n", b" 431 "),
    ],
)
def test_what_is_no_request_has_an_error_of_the_same_shape(
    server: ApiServer, sent: bytes, status: bytes
) -> None:
    answer = _exchange(server, sent)
    assert status in answer.partition(b"\r\n")[0]
    assert b"x-request-id: req_" in answer
    error = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    assert set(error) == {"message", "type", "param", "code"}


def test_a_backslash_before_u0000_is_no_nul_character(server: ApiServer, openai: OpenAI) -> None:
    for name, status in ((r"a\\u0000", 200), (r"a\u0000", 400), (r"a\\\u0000", 400)):
        body = rf'{{"bytes": 1, "filename": "{name}", "mime_type": "x", "purpose": "batch"}}'
        with http(server, openai.api_key) as client:
            assert client.post("/v1/uploads", content=body).status_code == status, name


def test_what_breaks_off_after_its_answer_is_no_fault_of_the_server(server: ApiServer) -> None:
    with connect(server) as connection:
        connection.sendall(b"POST /v1/batches HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 401")
        connection.sendall(b"no chunk\r\n")
        while connection.recv(65_536):  # the rest of the answer, until the server closes
            pass
    assert "Fatal error" not in server.log


def test_a_client_that_leaves_in_the_middle_of_a_body_is_no_error(server: ApiServer, openai: OpenAI) -> None:
    with connect(server) as connection:
        connection.sendall(
            b"POST /v1/uploads HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\nauthorization: Bearer "
            + openai.api_key.encode()
            + b"\r\n\r\n{"
        )
    wait_until(lambda: "POST /v1/uploads 0 " in server.log, timeout_s=200)
    assert "ClientDisconnect" not in server.log


def test_the_rate_of_a_key_is_kept_and_says_when_to_come_back(new_client: Callable[..., OpenAI]) -> None:
    client = new_client(rpm=5)
    for _ in range(5):
        client.models.list()
    with pytest.raises(RateLimitError) as refused:
        _list_models(client, 100)  # one more comes free every twelve seconds
    assert refused.value.code == "rate_limit_exceeded"
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 12


def _list_models(client: OpenAI, times: int) -> None:
    for _ in range(times):
        client.models.list()


def test_a_key_may_use_its_models_only(new_client: Callable[..., OpenAI]) -> None:
    client = new_client(models=("sim-nano",))
    assert [model.id for model in client.models.list()] == ["auto", "sim-nano"]
    failed = await_end(client, create_batch(client, [chat_line(1, model="sim-large")]).id)
    assert failed.status == "failed"
    batch = await_end(client, create_batch(client, [chat_line(1, model=None), chat_line(2)]).id)
    assert {line["response"]["body"]["model"] for line in api.lines_of(client, batch.output_file_id)} == {
        "sim-nano"
    }


def test_a_key_has_no_more_unfinished_batches_than_it_may(
    new_client: Callable[..., OpenAI], stack: Stack
) -> None:
    client = new_client(concurrent_batches=1)
    with Hold(stack.simulator.client) as hold:
        first = create_batch(client, [chat_line(1, prompt=hold.marker)])
        with pytest.raises(RateLimitError) as refused:
            create_batch(client, [chat_line(2)])
    assert refused.value.code == "concurrent_batches_exceeded"
    await_end(client, first.id)
    assert await_end(client, create_batch(client, [chat_line(2)]).id).status == "completed"


def test_the_log_names_requests_and_holds_neither_prompts_nor_keys(server: ApiServer, openai: OpenAI) -> None:
    canary = "canary-prompt-of-the-api"
    lines = [chat_line(1, prompt=canary), f'{{"custom_id": "{canary}"']
    batch = await_end(openai, create_batch(openai, lines, metadata={"waybill_partial": "true"}).id)
    with http(server, openai.api_key) as client:
        client.post("/v1/batches", content=f'{{"input_file_id": "{canary}"}}'.encode())
        client.get(f"/v1/batches/{canary}/x?after={canary}")
        for path in (f"/v1/batches/{canary}", f"/v1/models/{canary}", f"/v1/files/{openai.api_key}"):
            assert client.get(path).status_code == 404
            assert client.get(f"{path}%0A{canary}").status_code == 404
        client.request(openai.api_key, "/v1/files")
    wait_until(lambda: f"batch_id={batch.id}" in server.log, timeout_s=200)
    assert canary not in server.log
    assert openai.api_key not in server.log
    assert openai.api_key.split("-", 3)[3] not in server.log
    assert "GET /v1/batches/{batch_id} 200" in server.log


def _exchange(server: ApiServer, sent: bytes) -> bytes:
    with connect(server) as connection:
        connection.sendall(sent)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    return answer
