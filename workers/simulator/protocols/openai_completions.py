"""OpenAI's completions, for one prompt or several: https://platform.openai.com/docs/api-reference/completions."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from workers.simulator.errors import bad_request
from workers.simulator.protocols.compatible import Compatible
from workers.simulator.protocols.inputs import TextOrIds, all_text, tokens_of
from workers.simulator.protocols.protocol import Call
from workers.simulator.requests import ChatRequest, limit_of, messages_digest, model_of, refuse_stream

#: the limit of a request that sets none
_DEFAULT_LIMIT = 16


@dataclass(frozen=True, kw_only=True)
class _CompletionRequest(ChatRequest):
    prompts: tuple[TextOrIds, ...]
    echo: bool


class CompatibleCompletions(Compatible):
    """The endpoint `/completions` of a server without a brand."""

    paths: ClassVar[tuple[str, ...]] = ("/completions",)

    def parse(self, raw: dict[str, Any], *, model: str | None, headers: Mapping[str, str]) -> ChatRequest:
        """Check a request."""
        refuse_stream(raw)
        prompts = _prompts(raw.get("prompt"))
        return _CompletionRequest(
            model=model_of(raw),
            prompt=all_text(prompts),
            digest=messages_digest([{"prompt": raw["prompt"]}]),
            prompt_tokens=sum(map(tokens_of, prompts)),
            max_tokens=limit_of(raw, "max_tokens") or _DEFAULT_LIMIT,
            prompts=prompts,
            echo=raw.get("echo") is True,
        )

    def lay_out(self, call: Call) -> dict[str, Any]:
        """Return a text completion; of several prompts, each gets the same answer, which is billed once."""
        usage = call.usage
        return {
            "id": f"cmpl-{call.plan.number}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": call.request.model,
            "choices": [] if call.is_empty else _choices(call),
            **({} if usage is None else {"usage": self.usage(usage, call)}),
            "system_fingerprint": "fp_waybill_sim",
        }


class OpenAICompletions(CompatibleCompletions):
    """The same endpoint of OpenAI."""

    name: ClassVar[str] = "openai"
    needs_key: ClassVar[bool] = True


def _prompts(given: Any) -> tuple[TextOrIds, ...]:
    if isinstance(given, str) or _are_ids(given):
        return (given,)
    if isinstance(given, list) and given and all(isinstance(one, str) or _are_ids(one) for one in given):
        return tuple(given)
    raise bad_request("'prompt' must be text, a list of token ids, or a list of these")


def _are_ids(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, int) for one in value)


def _choices(call: Call) -> list[dict[str, Any]]:
    assert isinstance(call.request, _CompletionRequest)
    text = call.text
    return [
        {
            "index": index,
            "text": f"{prompt}{text}" if call.request.echo and isinstance(prompt, str) and text else text,
            "logprobs": None,
            "finish_reason": call.plan.finish_reason,
        }
        for index, prompt in enumerate(call.request.prompts)
    ]
