"""The JSON of responses in OpenAI's formats: completions, valid or damaged, and errors."""

import json
import time
from email.utils import formatdate
from typing import Any

from workers.simulator.faults import Fault
from workers.simulator.http_errors import HttpError
from workers.simulator.plans import Plan
from workers.simulator.requests import ChatRequest

ABSURD_TOKENS = 10**12
HTML = b"<!doctype html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>"


def completion_body(plan: Plan, request: ChatRequest) -> tuple[str, bytes]:
    """Return content type and body of a 200, damaged where the plan requires it."""
    if plan.fault is Fault.HTML:
        return "text/html", HTML
    body = json.dumps(_damage(_completion(plan, request), plan.fault)).encode()
    return "application/json", body[: len(body) // 2] if plan.fault is Fault.TRUNCATED else body


def error_body(error: HttpError, *, detail: str = "") -> bytes:
    """Return an error object; `detail` is appended to its message."""
    shown = {"message": error.message + detail, "type": error.type, "param": None, "code": error.code}
    return json.dumps({"error": shown}).encode()


def retry_after(error: HttpError) -> dict[str, str]:
    """Return the `Retry-After` header of an error, or no header."""
    if error.retry_after is None:
        return {}
    return {"Retry-After": error.retry_after.replace("{date}", formatdate(time.time() + 2, usegmt=True))}


def _completion(plan: Plan, request: ChatRequest) -> dict[str, Any]:
    message = {"role": "assistant", "content": plan.text, "refusal": None}
    return {
        "id": plan.id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": plan.finish_reason}],
        "usage": _usage(request.prompt_tokens, plan.completion_tokens),
        "system_fingerprint": "fp_waybill_sim",
        "waybill_sim": {"quality": int(plan.good), "category": plan.category},
    }


def _usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def _damage(completion: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
    match fault:
        case Fault.NO_CHOICES:
            completion["choices"] = []
        case Fault.EMPTY_CONTENT:
            completion["choices"][0]["message"]["content"] = None
        case Fault.NO_USAGE:
            del completion["usage"]
        case Fault.ABSURD_USAGE:
            completion["usage"] = _usage(-1, ABSURD_TOKENS)
    return completion
