"""A wrong `api_base` is seen before the first call, without a prompt, without cost and without a secret."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tasks.settings import Settings
from workers.doctor import address_checks
from workers.doctor.address_checks import addresses
from workers.doctor.finding import Finding, Level

KEY = "sk-canary-key"


class Server:
    """A server that answers every GET with one status, and what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.asked: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers["Authorization"]))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Write no log."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.at = f"127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("A_KEY", KEY)
    # A busy machine may be slow; only the test of silence waits for its end.
    monkeypatch.setattr(address_checks, "_TIMEOUT_S", 60.0)
    one = Server()
    thread = threading.Thread(target=one.http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield one
    one.http.shutdown()
    one.http.server_close()


def _found(*models: Mapping[str, object]) -> list[Finding]:
    entries = [{"name": f"m{number}", "litellm": "openai/x", **one} for number, one in enumerate(models)]
    return list(addresses(Settings.model_validate({"home": Path("none"), "models": entries})))


def _closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize("status", [200, 302, 401, 403, 404, 500])
def test_whatever_answers_is_there_and_is_asked_once_for_its_models(server: Server, status: int) -> None:
    server.status = status
    base = f"http://{server.at}/v1"
    found = _found({"api_base": base}, {"api_base": base}, {})
    assert found == [Finding("addresses", Level.OK, f"http://{server.at} answers (m0, m1)")]
    assert server.asked == [("/v1/models", None)]


def test_a_key_that_is_refused_where_calls_send_it_so_is_named_and_not_shown(server: Server) -> None:
    base = f"http://{server.at}/v1/"
    with_key = {"api_base": base, "api_key_env": "A_KEY"}
    server.status = 401
    (found,) = _found(with_key)
    assert (found.level, found.text) == (Level.WARN, f"http://{server.at} refuses the key of m0 (401)")
    assert server.asked == [("/v1/models", f"Bearer {KEY}")]
    assert KEY not in repr(found)
    server.status = 403
    assert _found(with_key)[0].level is Level.OK
    (other,) = _found({**with_key, "litellm": "anthropic/x"})
    assert (other.level, server.asked[-1]) == (Level.OK, ("/v1/models", None))


def test_a_wrong_address_is_a_warning_without_the_secrets_of_its_url(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, secret = _closed_port(), "secret-word"
    bases = [
        f"http://me:{secret}@127.0.0.1:{port}/v1?key={secret}",
        f"https://{server.at}/{secret}/v1",
        "http://nobody.invalid/v1",
        f"localhost/{secret}",
        f"http://127.0.0.1:{secret}/v1",
    ]
    resolve = socket.getaddrinfo

    def resolved(host: Any, *rest: Any, **more: Any) -> Any:
        if host in ("nobody.invalid", b"nobody.invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return resolve(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    found = _found(*({"api_base": base} for base in bases))
    assert [one.level for one in found] == [Level.WARN] * len(bases)
    texts = [one.text for one in found]
    assert texts[0] == f"m0: http://127.0.0.1:{port} refuses connections"
    assert texts[1].startswith(f"m1: https://{server.at} has no valid TLS")
    assert texts[2] == "m2: http://nobody.invalid has a name that is not known"
    assert secret not in repr(found)


def test_a_key_goes_to_no_proxy_for_a_server_on_this_host(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY")
    for name in ("HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{server.at}")
    port = _closed_port()
    (found,) = _found({"api_base": f"http://localhost:{port}/v1", "api_key_env": "A_KEY"})
    assert found.text == f"m0: http://localhost:{port} refuses connections"
    assert server.asked == []


def test_a_proxy_that_does_not_reach_the_server_is_not_taken_for_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTP_PROXY", f"http://{server.at}")
    server.status = 502
    (found,) = _found({"api_base": "http://models.invalid/v1"})
    assert found.text == "m0: http://models.invalid is not reached through the proxy (502)"
    server.status = 404
    assert _found({"api_base": "http://models.invalid/v1"})[0].level is Level.OK


def test_a_server_that_never_answers_ends_the_check_all_the_same(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_checks, "_TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base = f"http://127.0.0.1:{silent.getsockname()[1]}"
        found = _found({"api_base": base}, {"api_base": f"{base}/v1"})
    assert [one.text for one in found] == [
        f"m0: {base} does not answer within 0.3 s",
        f"m1: {base} does not answer within 0.3 s",
    ]
