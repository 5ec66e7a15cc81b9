"""Usage blocks, as providers write them."""

from __future__ import annotations

from typing import Any

from router_core.pricing import Usage
from tasks.providers.usage import read_usage

DETAILS = "prompt_tokens_details"


def openai(prompt: Any = 100, completion: Any = 50, total: Any = None, **more: Any) -> dict[str, Any]:
    """Return a block in OpenAI's shape; a total of None is left out."""
    block = {"prompt_tokens": prompt, "completion_tokens": completion, **more}
    return block if total is None else {**block, "total_tokens": total}


def thoughts(count: Any) -> dict[str, Any]:
    """Return the part of a block that counts thoughts."""
    return {"completion_tokens_details": {"reasoning_tokens": count}}


def usage_in(block: Any, **options: Any) -> Usage | None:
    """Read a block as it stands in a reply."""
    name = "usageMetadata" if isinstance(block, dict) and "promptTokenCount" in block else "usage"
    return read_usage({name: block}, **options)
