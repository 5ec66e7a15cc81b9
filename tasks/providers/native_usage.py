"""Replies without the usage block that LiteLLM's adapters take for granted.

They raise an error at an answer of Anthropic, Gemini or Bedrock that names no usage, and the answer is lost.
With zeros in its place the answer is kept; the ledger reads zeros as unknown and charges the worst case.
"""

from __future__ import annotations

import json
from typing import Any

_MARK = b'"usage'


def with_usage(content: bytes) -> bytes:
    """Return the body of a response with an empty usage block, if it is such a reply without one."""
    if _MARK in content:
        return content
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return content
    missing = _missing(body) if isinstance(body, dict) else None
    return content if missing is None else json.dumps({**body, **missing}).encode()


def _missing(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the usage block that the reply's API has; None for any other body."""
    if body.get("type") == "message" and "content" in body:
        return {"usage": {"input_tokens": 0, "output_tokens": 0}}
    if "candidates" in body:
        return {"usageMetadata": {"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0}}
    if "output" in body and "stopReason" in body:
        return {"usage": {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}}
    return None
