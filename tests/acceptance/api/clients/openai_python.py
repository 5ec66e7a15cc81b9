"""Every call of OpenAI's Python client, of any release: it prints a line of JSON for each.

    python openai_python.py BASE_URL KEY PORT SECRET DIRECTIVE

Webhooks come to the port, signed with the secret. The operator ends the time of batches with a window of 2h.
The directive, in a prompt, keeps its answer back until the batch is cancelled.
It imports nothing but `openai`, since it runs in environments of its own.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key=sys.argv[2], max_retries=0, timeout=240)
ENDPOINT: Any = "/v1/chat/completions"
WEBHOOKS: list[tuple[str, dict[str, str]]] = []


class Receiver(BaseHTTPRequestHandler):
    """Takes webhooks."""

    def do_POST(self) -> None:
        """Keep what was sent."""
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        WEBHOOKS.append((body, dict(self.headers)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def line(number: int, prompt: str = "say it", model: str = "sim-nano") -> str:
    """Return a line of a batch file."""
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": 32}
    return json.dumps({"custom_id": f"line-{number}", "method": "POST", "url": ENDPOINT, "body": body})


def upload(*lines: str) -> Any:
    """Upload a batch file."""
    return client.files.create(file=("b.jsonl", "\n".join(lines).encode()), purpose="batch")


def create(*lines: str, **options: Any) -> Any:
    """Create a batch."""
    file = upload(*lines)
    wanted = {"endpoint": ENDPOINT, "completion_window": "24h", **options}
    return client.batches.create(input_file_id=file.id, **wanted)


def ended(batch: Any) -> Any:
    """Wait for the end of a batch."""
    while (batch := client.batches.retrieve(batch.id)).status in (
        "validating",
        "in_progress",
        "finalizing",
        "cancelling",
    ):
        time.sleep(0.2)
    return batch


def raises(error: type[Exception], call: Callable[[], object]) -> bool:
    """Return whether a call is refused so, with OpenAI's shape of an error and a request id."""
    try:
        call()
    except error as found:
        return bool(found.request_id and found.type and found.code)  # type: ignore[attr-defined]
    return False


def file_life() -> bool:
    """Create, retrieve, read, find and delete a file."""
    file = upload(line(1))
    same = client.files.retrieve(file.id) == file and client.files.wait_for_processing(file.id) == file
    is_read = client.files.content(file.id).text == line(1)
    is_listed = file.id in [one.id for one in client.files.list(limit=1, purpose="batch")]
    return same and is_read and is_listed and client.files.delete(file.id).deleted


def file_expiry() -> bool:
    """Create a file with `expires_after`."""
    kept: Any = {"anchor": "created_at", "seconds": 3_600}
    file = client.files.create(file=("b.jsonl", b"{}"), purpose="batch", expires_after=kept)
    return file.expires_at == file.created_at + 3_600


def uploaded() -> bool:
    """Upload in parts."""
    data = line(1).encode()
    begun = client.uploads.create(
        bytes=len(data), filename="b.jsonl", mime_type="text/plain", purpose="batch"
    )
    parts = [client.uploads.parts.create(begun.id, data=part).id for part in (data[:50], data[50:])]
    done = client.uploads.complete(begun.id, part_ids=parts, md5=hashlib.md5(data).hexdigest())
    return done.status == "completed" and client.files.content(done.file.id).content == data


def upload_cancelled() -> bool:
    """Cancel an upload."""
    begun = client.uploads.create(bytes=9, filename="b.jsonl", mime_type="text/plain", purpose="batch")
    return client.uploads.cancel(begun.id).status == "cancelled"


def completed() -> bool:
    """Create a batch and read its answers and its usage."""
    batch = ended(create(line(1), line(2), metadata={"a": "b"}))
    lines = [json.loads(text) for text in client.files.content(batch.output_file_id).text.splitlines()]
    is_whole = sorted(one["custom_id"] for one in lines) == ["line-1", "line-2"]
    counts = (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed)
    return is_whole and counts == (2, 2, 0) and batch.metadata == {"a": "b"} and batch.status == "completed"


def failed() -> bool:
    """Create a batch with a bad line."""
    batch = ended(create(line(1), "{"))
    return (batch.status, batch.errors.data[0].line, bool(batch.failed_at)) == ("failed", 2, True)


def cancelled() -> bool:
    """Cancel a batch."""
    batch = create(*(line(number, f"{sys.argv[5]} {number}") for number in range(200)))
    client.batches.cancel(batch.id)
    return ended(batch).status == "cancelled"


def expired() -> bool:
    """Create a batch whose time is over before it is answered."""
    lines = [line(number, f"{sys.argv[5]} {number}", "sim-coder") for number in range(50)]
    batch = ended(create(*lines, completion_window="2h"))
    return batch.status == "expired" and bool(batch.expired_at) and batch.completed_at is None


def webhook() -> bool:
    """Get the end of a batch as a webhook, and none that was changed on its way."""
    batch = ended(create(line(1)))
    deadline = time.monotonic() + 240
    while not (mine := [one for one in WEBHOOKS if batch.id in one[0]]):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    body, headers = mine[0]
    event: Any = client.webhooks.unwrap(body, headers, secret=sys.argv[4])
    try:
        client.webhooks.unwrap(body.replace("completed", "cancelled"), headers, secret=sys.argv[4])
    except openai.InvalidWebhookSignatureError:
        return event.type == "batch.completed" and event.data.id == batch.id
    return False


def pages() -> bool:
    """List batches over several pages."""
    ids = [create(line(number)).id for number in range(3)]
    return [one.id for one, _ in zip(client.batches.list(limit=1), ids, strict=False)] == ids[::-1]


def models() -> bool:
    """List and retrieve models."""
    return (
        "sim-nano" in [one.id for one in client.models.list()] and client.models.retrieve("auto").id == "auto"
    )


def errors() -> bool:
    """Be refused: by id, by option, by key."""
    wrong = client.with_options(api_key="sk-wrong")
    return (
        raises(openai.NotFoundError, lambda: client.batches.retrieve("batch_none"))
        and raises(openai.NotFoundError, lambda: client.files.content("file-none"))
        and raises(openai.BadRequestError, lambda: create(line(1), completion_window="1m"))
        and raises(openai.AuthenticationError, lambda: wrong.models.list())
    )


CALLS: dict[str, Callable[[], bool]] = {
    "files: create, retrieve, wait_for_processing, content, list, delete": file_life,
    "files: expires_after": file_expiry,
    "uploads: create, parts, complete with md5": uploaded,
    "uploads: cancel": upload_cancelled,
    "batches: create, retrieve, content of the output": completed,
    "batches: errors of a file that is not valid": failed,
    "batches: cancel": cancelled,
    "batches: expired": expired,
    "batches: list over pages": pages,
    "webhooks: unwrap": webhook,
    "models: list, retrieve": models,
    "errors: 400, 401, 404": errors,
}

server = HTTPServer(("127.0.0.1", int(sys.argv[3])), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
for name, call in CALLS.items():
    try:
        result = "ok" if call() else "wrong"
    except Exception as error:
        result = f"{type(error).__name__}: {error}"
    print(json.dumps({"call": name, "result": result, "client": openai.__version__}), flush=True)
