"""What is published through a Redis, and what it holds at the end."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

from redis.exceptions import RedisError

from tests.support.redis_server import RedisServer


class RedisMonitor:
    """Collects everything that is published through Redis while the block runs, also across its restarts."""

    def __init__(self, server: RedisServer) -> None:
        self._client = server.client()
        self._pubsub = self._client.pubsub(ignore_subscribe_messages=True)
        self.seen: list[bytes] = []

    def __enter__(self) -> RedisMonitor:
        self._pubsub.psubscribe("*")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._pubsub.close()
        self._client.close()

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                message = self._pubsub.get_message(timeout=0.2)
            except (RedisError, OSError):  # it subscribes again when it has connected again
                time.sleep(0.1)
                continue
            if message is not None:
                self.seen.append(message["data"])


def redis_contents(server: RedisServer) -> dict[str, bytes | str]:
    """Return every key with its value, and Redis' files; the append-only file holds every write."""
    with server.client() as client:
        client.config_set("rdbcompression", "no")
        dumped = b"\n".join(key + b" " + (client.dump(key) or b"") for key in client.scan_iter("*"))
        client.save()
        folder = Path(client.config_get("dir")["dir"])
    files: dict[str, bytes | str] = {}
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError, IsADirectoryError):  # a temporary one; the folder of 7.0 and later
            files[f"redis {path.name}"] = path.read_bytes()
    return {"redis keys": dumped, **files}
