"""A real API server for tests: `waybill api` as a process beside a stack, and clients of it."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from openai import OpenAI
from openai.types import Batch

from tasks.api_keys import keys
from tests.support.stack import Stack, WorkerProcess
from tests.support.waiting import wait_until

_URL = re.compile(r"API: (\S+)")
#: of clients: longer than a busy machine takes
_PATIENCE_S = 240.0
ENDED = ("completed", "failed", "expired", "cancelled")


@dataclass(frozen=True, slots=True)
class ApiServer:
    """A running server: its process and the base URL of its API."""

    process: WorkerProcess
    url: str

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self.process.log.read_text(errors="replace")


def start_api(stack: Stack, *, environment: Mapping[str, str] | None = None, port: int = 0) -> ApiServer:
    """Start `waybill api` on a free port and wait until it serves."""
    process = stack.run("api", "--port", str(port), environment=environment)
    match = wait_until(lambda: _URL.search(process.log.read_text(errors="replace")), timeout_s=240)
    return ApiServer(process, match[1])


def new_key(stack: Stack, name: str, **limits: Any) -> str:
    """Make a key and return its text."""
    return keys.create(stack.store, name, **limits)[1]


def client(server: ApiServer, key: str, *, max_retries: int = 0) -> OpenAI:
    """Return the official client."""
    return OpenAI(api_key=key, base_url=server.url, max_retries=max_retries, timeout=_PATIENCE_S)


def http(server: ApiServer, key: str | None = None) -> httpx.Client:
    """Return a plain HTTP client of the server, with the key."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(base_url=server.url.removesuffix("/v1"), headers=headers, timeout=_PATIENCE_S)


def connect(server: ApiServer) -> socket.socket:
    """Return a bare connection to the server."""
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=_PATIENCE_S)


def chat_line(number: int, *, prompt: str | None = None, model: str | None = "sim-nano", **body: Any) -> str:
    """Return a line of a batch file."""
    text = prompt if prompt is not None else f"prompt {number}"
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": 64, **body}
    if model is not None:
        body["model"] = model
    line = {"custom_id": f"line-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(line)


def batch_file(folder: Path, lines: Iterable[str], name: str = "batch.jsonl") -> Path:
    """Write a batch file and return its path."""
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def create_batch(openai: OpenAI, lines: Iterable[str], **options: Any) -> Batch:
    """Upload lines and create a batch of them."""
    content = "".join(f"{line}\n" for line in lines).encode()
    file = openai.files.create(file=("batch.jsonl", content), purpose="batch")
    wanted = {"endpoint": "/v1/chat/completions", "completion_window": "24h", **options}
    return openai.batches.create(input_file_id=file.id, **wanted)


def await_end(openai: OpenAI, batch_id: str, *, timeout_s: float = 240) -> Batch:
    """Wait until a batch has ended and return it."""
    deadline = time.monotonic() + timeout_s
    while (batch := openai.batches.retrieve(batch_id)).status not in ENDED:
        assert time.monotonic() < deadline, batch
        time.sleep(0.2)
    return batch


def lines_of(openai: OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    """Return the lines of a file of the API; none where there is no file."""
    if file_id is None:
        return []
    return [json.loads(line) for line in openai.files.content(file_id).text.splitlines()]
