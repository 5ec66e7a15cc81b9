"""Flower beside a stack, and what it shows."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from tests.support.ports import free_port
from tests.support.stack import Stack
from tests.support.waiting import wait_until


class Flower:
    """`waybill flower` behind its password; `auth` is `user:password`."""

    def __init__(self, stack: Stack, auth: str) -> None:
        port = free_port()
        stack.run("flower", "--port", str(port), environment={"WAYBILL_FLOWER_AUTH": auth})
        self.root, self._auth = f"http://127.0.0.1:{port}", auth
        self._opener = build_opener(ProxyHandler({}))

    def await_events(self, *, workers: int) -> None:
        """Wait until it has events of this many workers: from then on it misses nothing."""
        wait_until(lambda: self._heard() >= workers, timeout_s=200)

    def _heard(self) -> int:
        try:
            return len(json.loads(self.get("/workers?json=1"))["data"])
        except OSError:
            return 0

    def get(self, path: str, *, with_password: bool = True) -> bytes:
        request = Request(self.root + path)
        if with_password:
            request.add_header("Authorization", f"Basic {base64.b64encode(self._auth.encode()).decode()}")
        with self._opener.open(request, timeout=200) as response:
            content: bytes = response.read()
        return content

    def tasks(self) -> dict[str, Any]:
        """The tasks it knows, once the last events have come in: every task has ended."""
        tasks: dict[str, Any] = {}

        def all_ended() -> bool:
            nonlocal tasks
            tasks = json.loads(self.get("/api/tasks?limit=100000"))
            return {task["state"] for task in tasks.values()} <= {"SUCCESS", "FAILURE"}

        wait_until(all_ended, timeout_s=200, every_s=1.0)
        return tasks

    def pages(self) -> dict[str, bytes | str]:
        """Everything it shows."""
        workers = json.loads(self.get("/api/workers?refresh=1"))
        tasks = self.tasks()
        paths = [
            "/",
            "/workers",
            "/tasks",
            "/broker",
            "/metrics",
            "/api/workers",
            "/api/tasks",
            "/api/task/types",
        ]
        paths += ["/api/queues/length", *(f"/worker/{name}" for name in workers)]
        paths += [f"/{kind}/{task}" for kind in ("task", "api/task/info") for task in tasks]
        shown: dict[str, bytes | str] = {f"flower {path}": self.get(path) for path in paths}
        for path in ("/", "/tasks", "/broker", "/metrics", "/api/tasks", "/api/workers"):
            with pytest.raises(HTTPError) as refusal:
                self.get(path, with_password=False)
            assert refusal.value.code == 401
            refusal.value.close()
        return shown
