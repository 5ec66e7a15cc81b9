"""OpenAI's chat completions: https://platform.openai.com/docs/api-reference/chat."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from workers.simulator.errors import bad_request
from workers.simulator.http_errors import ErrorKind, HttpError
from workers.simulator.protocols.checks import (
    check_contents,
    check_images,
    check_tool_history,
    refuse_unknown,
)
from workers.simulator.protocols.compatible import Compatible
from workers.simulator.protocols.protocol import Call, ErrorReply
from workers.simulator.requests import ChatRequest, messages_of, parse_chat
from workers.simulator.token_counts import TokenCounts

OPENAI_PARAMETERS = frozenset({
    "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs",
    "max_completion_tokens", "max_tokens", "messages", "metadata", "modalities", "model", "n",
    "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key",
    "prompt_cache_retention", "reasoning_effort", "response_format", "safety_identifier", "seed",
    "service_tier", "stop", "store", "stream", "stream_options", "temperature", "tool_choice", "tools",
    "top_logprobs", "top_p", "user", "verbosity", "web_search_options",
})  # fmt: skip
_STATUS = {ErrorKind.OVERLOADED: 503}


class OpenAIChat(Compatible):
    """OpenAI itself: a closed list of parameters, usage with details, the tier that served the call."""

    name: ClassVar[str] = "openai"
    needs_key: ClassVar[bool] = True

    def parse(self, raw: dict[str, Any], *, model: str | None, headers: Mapping[str, str]) -> ChatRequest:
        """Check a request as OpenAI does."""
        refuse_unknown(raw, OPENAI_PARAMETERS, "Unrecognized request argument supplied: {}")
        messages = messages_of(raw)
        check_tool_history(messages)
        check_contents(messages)
        check_images(messages)
        if str(raw.get("model")).startswith(("gpt-5", "o1", "o3", "o4")) and raw.get("max_tokens"):
            raise bad_request(
                "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead."
            )
        return parse_chat(raw)

    def lay_out(self, call: Call) -> dict[str, Any]:
        """Return a chat completion with its tier."""
        body = super().lay_out(call)
        del body["waybill_sim"]
        tier = call.request.service_tier
        return {**body, "service_tier": "default" if tier in (None, "auto") else tier}

    def message(self, call: Call) -> dict[str, Any]:
        """Return a message; OpenAI shows no reasoning."""
        message = {"annotations": [], **super().message(call)}
        message.pop("reasoning_content", None)
        return message

    def usage(self, counts: TokenCounts, call: Call) -> dict[str, Any]:
        """Return the usage with all its details."""
        return {
            **super().usage(counts, call),
            "prompt_tokens_details": {"cached_tokens": counts.cached, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": counts.reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    def error(self, error: HttpError) -> ErrorReply:
        """Return an error; OpenAI has no 529."""
        reply = super().error(error)
        headers = {"x-request-id": f"req_{time.time_ns():024x}", **reply.headers}
        return replace(reply, status=_STATUS.get(error.kind, reply.status), headers=headers)
