"""`POST /v1/completions` (OpenAI API reference, "Create completion"), for one prompt or several."""

import time
from typing import Any

from workers.simulator.endpoints.endpoint import SimulatedEndpoint, simple_request, token_limit
from workers.simulator.errors import bad_request
from workers.simulator.plans import Plan
from workers.simulator.requests import ChatRequest, count_tokens

#: the limit of a request that sets none
_DEFAULT_LIMIT = 16


def _read(raw: dict[str, Any]) -> ChatRequest:
    prompts = _prompts(raw.get("prompt"))
    tokens = sum(len(one) if isinstance(one, list) else count_tokens(one) for one in prompts)
    text = "\n".join(one for one in prompts if isinstance(one, str))
    limit = token_limit(raw, "max_tokens") or _DEFAULT_LIMIT
    return simple_request(raw, text, content=raw["prompt"], tokens=tokens, limit=limit)


def _prompts(given: object) -> list[str | list[int]]:
    if isinstance(given, str):
        return [given]
    if isinstance(given, list) and given and all(isinstance(one, int) for one in given):
        return [given]
    if not isinstance(given, list) or not given or not all(isinstance(one, (str, list)) for one in given):
        raise bad_request("'prompt' must be text, a list of token ids, or a list of these")
    return given


def _write(plan: Plan, request: ChatRequest, raw: dict[str, Any]) -> dict[str, Any]:
    prompts = _prompts(raw["prompt"])
    echo = raw.get("echo") is True
    choices = [
        {
            "index": index,
            "text": f"{prompt}{plan.text}" if echo and isinstance(prompt, str) else plan.text,
            "logprobs": None,
            "finish_reason": plan.finish_reason,
        }
        for index, prompt in enumerate(prompts)
    ]
    # The plan, which decides the bill, has one answer: of several, each counts as its share.
    usage = {
        "prompt_tokens": request.prompt_tokens,
        "completion_tokens": plan.completion_tokens,
        "total_tokens": request.prompt_tokens + plan.completion_tokens,
    }
    return {
        "id": plan.id.replace("chatcmpl-", "cmpl-"),
        "object": "text_completion",
        "created": int(time.time()),
        "model": request.model,
        "choices": choices,
        "usage": usage,
        "system_fingerprint": "fp_waybill_sim",
    }


COMPLETIONS = SimulatedEndpoint(path="/v1/completions", read=_read, write=_write, answers="choices")
