"""A chat completion request, checked and reduced to what decides its answer."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from workers.simulator.errors import bad_request

_TOKENS_PER_MESSAGE = 4  # Role and separators, as in OpenAI's chat format.


@dataclass(frozen=True)
class ChatRequest:
    """The part of a request that decides its answer."""

    model: str
    prompt: str
    """Text of the last user message."""
    digest: str
    prompt_tokens: int
    max_tokens: int | None


def parse_request(body: bytes) -> ChatRequest:
    """Check a request body; raises RefusedError with the reason for the caller."""
    raw = object_of(body)
    messages = _messages(raw)
    if raw.get("stream"):
        raise bad_request("the simulator does not stream; leave 'stream' out")
    return ChatRequest(
        model=model_of(raw),
        prompt=next((_text(m) for m in reversed(messages) if m.get("role") == "user"), ""),
        digest=messages_digest(messages),
        prompt_tokens=sum(_TOKENS_PER_MESSAGE + count_tokens(_text(m)) for m in messages),
        max_tokens=_max_tokens(raw),
    )


def messages_digest(messages: list[dict[str, Any]]) -> str:
    """Return the SHA-256 (hex) of the messages as canonical JSON: the key of `GET /_sim/billed`."""
    canonical = json.dumps(messages, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def count_tokens(text: str) -> int:
    """Return an estimated number of tokens: one for each four bytes of UTF-8, rounded up."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // 4)


def object_of(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a request's body; raises RefusedError."""
    try:
        raw = json.loads(body)
    except ValueError:
        raise bad_request("the request body is not JSON") from None
    if not isinstance(raw, dict):
        raise bad_request("the request body must be a JSON object")
    return raw


def model_of(raw: dict[str, Any]) -> str:
    """Return the model that a request names; raises RefusedError."""
    model = raw.get("model")
    if not isinstance(model, str):
        raise bad_request("you must provide a model parameter")
    return model


def _messages(raw: dict[str, Any]) -> list[dict[str, Any]]:
    messages = raw.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        raise bad_request("'messages' must be a list of at least one message object")
    return messages


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _max_tokens(raw: dict[str, Any]) -> int | None:
    limit = raw.get("max_completion_tokens", raw.get("max_tokens"))
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise bad_request("'max_tokens' must be an integer of at least 1")
    return limit
