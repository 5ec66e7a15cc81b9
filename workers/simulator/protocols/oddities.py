"""What is odd about the replies of OpenAI-compatible servers, by the shape that a directive asks for."""

import math
from collections.abc import Callable
from typing import Any

from workers.simulator.protocols.protocol import Call
from workers.simulator.shapes import Shape

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
#: a silent WAV file of no samples
SOUND = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="
SOURCE = {"url": "https://example.org/harbour", "title": "The harbour report"}
#: shapes of a message without content
WITHOUT_CONTENT: frozenset[Shape | None] = frozenset(
    {Shape.REFUSAL, Shape.REASONING_ONLY, Shape.AUDIO, Shape.FUNCTION_CALL}
)
#: what stands in a body with status 200
ERRORS_IN_200: dict[Shape | None, dict[str, Any]] = {
    Shape.RATE_LIMIT_IN_200: {"message": "Rate limit exceeded", "code": 429},
    Shape.ERROR_IN_200: {"message": "Provider returned error", "code": 502},
}
#: bytes before the JSON
PREFIXES: dict[Shape | None, bytes] = {
    Shape.BYTE_ORDER_MARK: b"\xef\xbb\xbf",
    Shape.LEADING_SPACE: b"\n         \n\n         \n",
}


def _annotation(_message: dict[str, Any], _call: Call) -> dict[str, Any]:
    place = {"start_index": 0, "end_index": 4}
    return {"annotations": [{"type": "url_citation", "url_citation": {**SOURCE, **place}}]}


def _image(_message: dict[str, Any], _call: Call) -> dict[str, Any]:
    url = f"data:image/png;base64,{PIXEL}"
    return {"images": [{"type": "image_url", "image_url": {"url": url}, "index": 0}]}


def _audio(_message: dict[str, Any], call: Call) -> dict[str, Any]:
    return {
        "audio": {"id": f"audio_{call.plan.number}", "data": SOUND, "transcript": call.text, "expires_at": 1}
    }


def _function_call(message: dict[str, Any], _call: Call) -> dict[str, Any]:
    calls = message.get("tool_calls") or [{"function": {"name": "none", "arguments": "{}"}}]
    return {"function_call": calls[0]["function"], "tool_calls": None}


#: what a shape adds to a message
MESSAGES: dict[Shape | None, Callable[[dict[str, Any], Call], dict[str, Any]]] = {
    Shape.REFUSAL: lambda _, call: {"refusal": call.text},
    Shape.CITATIONS: _annotation,
    Shape.IMAGE: _image,
    Shape.AUDIO: _audio,
    Shape.FUNCTION_CALL: _function_call,
    Shape.TOOL_CALL_WITH_EMPTY_TEXT: lambda *_: {"content": ""},
    Shape.CONTENT_LIST: lambda message, _: {"content": [{"type": "text", "text": message["content"]}]},
    Shape.THINKING_LIST: lambda message, _: {
        "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": "Let me think."}]},
            {"type": "text", "text": message["content"]},
        ]
    },
    Shape.LONE_SURROGATE: lambda message, _: {"content": f"{message['content']} \ud83d"},
    Shape.NUL: lambda message, _: {"content": f"{message['content']} \0"},
}  # fmt: skip


def _second_choice(body: dict[str, Any]) -> None:
    message = {"role": "assistant", "content": None}
    body["choices"].append({"index": 1, "message": message, "finish_reason": "stop"})


def _error_finish(body: dict[str, Any]) -> None:
    choice = body["choices"][0]
    choice["message"]["content"] = choice["message"]["content"][:40]
    choice["finish_reason"] = "error"
    choice["error"] = {"code": 502, "message": "The upstream server broke off"}


def _reasoning_outside(body: dict[str, Any]) -> None:
    """Count the reasoning beside the completion, not in it, as xAI does; the total counts both."""
    usage = body["usage"]
    reasoning = usage.get("completion_tokens_details", {}).get("reasoning_tokens", 0)
    usage["completion_tokens"] -= reasoning


def _usage_as(kind: type[float] | type[str]) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        body["usage"] = {
            name: kind(value) if isinstance(value, int) else value for name, value in body["usage"].items()
        }

    return change


def _logprob_of(value: float) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        token = {"token": "x", "logprob": value, "bytes": [120], "top_logprobs": []}
        body["choices"][0]["logprobs"] = {"content": [token], "refusal": None}

    return change


#: what a shape changes in a completion
BODIES: dict[Shape | None, Callable[[dict[str, Any]], None]] = {
    Shape.EMPTY_SECOND_CHOICE: _second_choice,
    Shape.NULL_CHOICES: lambda body: body.update(choices=None),
    Shape.ERROR_FINISH: _error_finish,
    Shape.REASONING_OUTSIDE: _reasoning_outside,
    Shape.FLOAT_USAGE: _usage_as(float),
    Shape.TEXT_USAGE: _usage_as(str),
    Shape.INFINITE_LOGPROB: _logprob_of(-math.inf),
    Shape.NAN_LOGPROB: _logprob_of(math.nan),
}
