"""The calls of LiteLLM as a client of the API: it prints a line of JSON for each.

python litellm_python.py BASE_URL KEY PORT SECRET DIRECTIVE

The directive, in a prompt, keeps its answer back until the batch is cancelled.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import litellm

URL, KEY = sys.argv[1:3]
TO: dict[str, Any] = {"custom_llm_provider": "openai", "api_base": URL, "api_key": KEY}
ENDPOINT: Any = "/v1/chat/completions"


def line(number: int, prompt: str = "say it") -> str:
    """Return a line of a batch file."""
    body = {"model": "sim-nano", "messages": [{"role": "user", "content": prompt}], "max_tokens": 32}
    return json.dumps({"custom_id": f"line-{number}", "method": "POST", "url": ENDPOINT, "body": body})


def upload(*lines: str) -> Any:
    """Upload a batch file."""
    return litellm.create_file(file=("b.jsonl", "\n".join(lines).encode()), purpose="batch", **TO)


def create(*lines: str) -> Any:
    """Create a batch."""
    file = upload(*lines)
    return litellm.create_batch(completion_window="24h", endpoint=ENDPOINT, input_file_id=file.id, **TO)


def ended(batch: Any) -> Any:
    """Wait for the end of a batch."""
    while (batch := litellm.retrieve_batch(batch_id=batch.id, **TO)).status in (
        "validating", "in_progress", "finalizing", "cancelling",
    ):  # fmt: skip
        time.sleep(0.2)
    return batch


def file_life() -> bool:
    """Create, retrieve, read and delete a file."""
    file = upload(line(1))
    found: Any = litellm.file_retrieve(file_id=file.id, **TO)
    content: Any = litellm.file_content(file_id=file.id, **TO)
    litellm.file_delete(file_id=file.id, **TO)
    return bool(found.id == file.id and content.content.decode() == line(1))


def completed() -> bool:
    """Create a batch and read its answers."""
    batch = ended(create(line(1), line(2)))
    content: Any = litellm.file_content(file_id=batch.output_file_id, **TO)
    lines = [json.loads(text) for text in content.content.decode().splitlines()]
    return sorted(one["custom_id"] for one in lines) == ["line-1", "line-2"]


def failed() -> bool:
    """Create a batch with a bad line."""
    return bool(ended(create(line(1), "{")).status == "failed")


def cancelled() -> bool:
    """Cancel a batch."""
    batch = create(*(line(number, f"{sys.argv[5]} {number}") for number in range(200)))
    litellm.cancel_batch(batch_id=batch.id, **TO)
    return bool(ended(batch).status == "cancelled")


def listed() -> bool:
    """List batches."""
    batch, page = create(line(1)), None
    page = litellm.list_batches(limit=1, **TO)
    return [one.id for one in page.data] == [batch.id]  # type: ignore[union-attr]


CALLS: dict[str, Callable[[], bool]] = {
    "files: create, retrieve, content, delete": file_life,
    "batches: create, retrieve, content of the output": completed,
    "batches: errors of a file that is not valid": failed,
    "batches: cancel": cancelled,
    "batches: list": listed,
}

for name, call in CALLS.items():
    try:
        result = "ok" if call() else "wrong"
    except Exception as error:
        result = f"{type(error).__name__}: {error}"
    print(json.dumps({"call": name, "result": result, "client": version("litellm")}), flush=True)
