"""A Redis master with a replica, watched by three Sentinels: real processes, which want passwords."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis import Redis, RedisError

from tests.support.ports import free_port
from tests.support.redis_server import RedisServer, server_binary
from tests.support.waiting import wait_until

MASTER = "waybill"
#: of the servers, and of the Sentinels
PASSWORD, SENTINEL_PASSWORD = "server-secret", "sentinel-secret"
_QUORUM, _SENTINELS = 2, 3
_WAIT_S = 240.0
#: after which silence a master counts as down: when a test waits for its successor, and before that
_SOON_MS, _LONG_MS = 1_500, 600_000


class SentinelRedis:
    """Redis with a replica that takes over; `url` names the three Sentinels."""

    def __init__(self) -> None:
        options = {"requirepass": PASSWORD, "masterauth": PASSWORD, "repl-diskless-sync-delay": "0"}
        self.first = RedisServer(append_only=True, options=options)
        replica_of = {"replicaof": f"127.0.0.1 {self.first.port}"}
        self.second = RedisServer(append_only=True, options={**options, **replica_of})
        self._ports = [free_port() for _ in range(_SENTINELS)]
        self._processes: list[subprocess.Popen[bytes]] = []
        self._folder = Path(tempfile.mkdtemp(prefix="waybill-sentinels-"))

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._ports)
        return f"redis+sentinel://:{PASSWORD}@{hosts}/{MASTER}/0?sentinel_password={SENTINEL_PASSWORD}"

    def state(self, number: int = 0) -> dict[str, Any]:
        """Return what a Sentinel knows of the master."""
        with Redis(port=self._ports[number], password=SENTINEL_PASSWORD, socket_timeout=5) as client:
            state: dict[str, Any] = client.sentinel_master(MASTER)
            return state

    def await_master(self, server: RedisServer) -> None:
        """Let the Sentinels miss a silent master soon, and wait until all that run name this server."""
        running = [n for n, process in enumerate(self._processes) if process.poll() is None]
        for number in running:
            with Redis(port=self._ports[number], password=SENTINEL_PASSWORD, socket_timeout=5) as client:
                client.sentinel_set(MASTER, "down-after-milliseconds", _SOON_MS)
        for number in running:
            wait_until(lambda n=number: self.state(n)["port"] == server.port, timeout_s=_WAIT_S)
        wait_until(lambda: self.role(server) == "master", timeout_s=_WAIT_S)

    def role(self, server: RedisServer) -> str:
        with server.client() as client:
            return str(client.info("replication")["role"])

    def fail_over(self) -> None:
        """Let the replica take over although the master runs, as for its maintenance."""
        with Redis(port=self._ports[0], password=SENTINEL_PASSWORD, socket_timeout=5) as client:
            client.sentinel_failover(MASTER)

    def kill_sentinel(self, number: int) -> None:
        self._processes[number].kill()
        self._processes[number].wait()

    def __enter__(self) -> Self:
        self.first.start()
        self.second.start()
        wait_until(self._replicates, timeout_s=_WAIT_S)
        for port in self._ports:
            self._start_sentinel(port)
        for number in range(_SENTINELS):
            wait_until(lambda n=number: self._knows_all(n), timeout_s=_WAIT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        for server in (self.first, self.second):
            server.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _replicates(self) -> bool:
        with self.second.client() as client:
            return client.info("replication").get("master_link_status") == "up"

    def _knows_all(self, number: int) -> bool:
        try:
            state = self.state(number)
        except RedisError:  # it has not started yet
            return False
        return state["num-slaves"] == 1 and state["num-other-sentinels"] == _SENTINELS - 1

    def _start_sentinel(self, port: int) -> None:
        file = self._folder / f"sentinel-{port}.conf"
        file.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {self._folder}\n"
            f"requirepass {SENTINEL_PASSWORD}\nsentinel sentinel-pass {SENTINEL_PASSWORD}\n"
            f"sentinel monitor {MASTER} 127.0.0.1 {self.first.port} {_QUORUM}\n"
            f"sentinel auth-pass {MASTER} {PASSWORD}\n"
            f"sentinel down-after-milliseconds {MASTER} {_LONG_MS}\n"
            f"sentinel failover-timeout {MASTER} 10000\n"
        )
        with (self._folder / f"{port}.log").open("ab") as log:
            command = [str(server_binary()), str(file), "--sentinel"]
            self._processes.append(
                subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
            )
