"""Servers that are compatible with OpenAI's chat completions, and the oddities that such servers have.

This one takes every parameter and every key. The providers that share the format build on it.
"""

import json
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from workers.simulator.http_errors import HttpError
from workers.simulator.plan import ToolCall
from workers.simulator.protocols.oddities import BODIES, ERRORS_IN_200, MESSAGES, PREFIXES, WITHOUT_CONTENT
from workers.simulator.protocols.protocol import Call, ErrorReply, Protocol
from workers.simulator.requests import ChatRequest, parse_chat
from workers.simulator.token_counts import TokenCounts


class Compatible(Protocol):
    """A server without a brand: Waybill's demo and most tests call it."""

    name: ClassVar[str] = ""
    base: ClassVar[str] = "/v1"
    paths: ClassVar[tuple[str, ...]] = ("/chat/completions",)
    needs_key: ClassVar[bool] = False

    def parse(self, raw: dict[str, Any], *, model: str | None, headers: Mapping[str, str]) -> ChatRequest:
        """Check a chat completion request."""
        return parse_chat(raw)

    def lay_out(self, call: Call) -> dict[str, Any]:
        """Return a chat completion."""
        usage = call.usage
        return {
            "id": call.plan.id,
            "object": "chat.completion",
            "created": int(time.time()),
            "model": call.request.model,
            "choices": [] if call.is_empty else [self.choice(call)],
            **({} if usage is None else {"usage": self.usage(usage, call)}),
            "system_fingerprint": "fp_waybill_sim",
            "waybill_sim": {"quality": int(call.plan.good), "category": call.plan.category},
        }

    def choice(self, call: Call) -> dict[str, Any]:
        """Return the only choice."""
        return {
            "index": 0,
            "message": self.message(call),
            "logprobs": _logprobs(call),
            "finish_reason": call.plan.finish_reason,
        }

    def message(self, call: Call) -> dict[str, Any]:
        """Return the assistant's message."""
        plan = call.plan
        empty = bool(plan.tool_calls) or plan.shape in WITHOUT_CONTENT
        content = None if empty else call.text
        message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
        if plan.tool_calls:
            message["tool_calls"] = [self.tool_call(one) for one in plan.tool_calls]
        if plan.reasoning:
            message["reasoning_content"] = plan.reasoning
        change = MESSAGES.get(plan.shape)
        return message if change is None else {**message, **change(message, call)}

    def tool_call(self, call: ToolCall) -> dict[str, Any]:
        """Return a tool call."""
        function = {"name": call.name, "arguments": json.dumps(call.arguments)}
        return {"id": f"call_{call.id}", "type": "function", "function": function}

    def usage(self, counts: TokenCounts, call: Call) -> dict[str, Any]:
        """Return the usage block, with details where there are some."""
        block: dict[str, Any] = {
            "prompt_tokens": counts.prompt,
            "completion_tokens": counts.completion,
            "total_tokens": counts.total,
        }
        if counts.cached:
            block["prompt_tokens_details"] = {"cached_tokens": counts.cached}
        if counts.reasoning:
            block["completion_tokens_details"] = {"reasoning_tokens": counts.reasoning}
        return block

    def error(self, error: HttpError) -> ErrorReply:
        """Return an error as OpenAI structures it."""
        shown = {"message": error.message, "type": error.type, "param": None, "code": error.code}
        return ErrorReply(error.status, {"error": shown}, error.headers())

    def encode(self, call: Call) -> bytes:
        """Return the bytes of a reply, with the oddity that the call's shape asks for."""
        shape = call.plan.shape
        if shape in ERRORS_IN_200:
            return json.dumps({"error": ERRORS_IN_200[shape]}).encode()
        body = self.lay_out(call)
        if shape in BODIES:
            BODIES[shape](body)
        return PREFIXES.get(shape, b"") + json.dumps(body).encode()


def _logprobs(call: Call) -> dict[str, Any] | None:
    """Return a log-probability for each word of the answer, if the request asks for them."""
    if call.request.logprobs is None or call.text is None:
        return None
    words = [word + " " for word in call.text.split(" ")]
    alternatives = range(call.request.logprobs)
    tokens = [
        {**_token(word, -0.1), "top_logprobs": [_token(word, -0.1 - one) for one in alternatives]}
        for word in words
    ]
    return {"content": tokens, "refusal": None}


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode("utf-8", "surrogatepass"))}
