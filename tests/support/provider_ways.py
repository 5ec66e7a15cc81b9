"""Each provider's model by each transport that reaches it."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.providers.interface import Transport
from tests.support.provider_models import OPENAI_SHAPED, PROVIDER_MODELS, Answered, answers_of
from workers.simulator import SimulatorProcess

WAYS: list[tuple[str, Transport]] = [
    *((name, "litellm") for name in PROVIDER_MODELS),
    *((name, "auto") for name in OPENAI_SHAPED),
    *((name, "direct") for name in OPENAI_SHAPED),
]
OF_OPENAI = ("openai", "openai reasoning")
every_way = pytest.mark.parametrize(("name", "transport"), WAYS)


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 400, **more}


def ask(sim: SimulatorProcess, name: str, body: dict[str, Any], transport: Transport = "litellm") -> Answered:
    deployment = PROVIDER_MODELS[name].deployment(sim, transport=transport)
    if name == "openai reasoning" and "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
    (answered,) = answers_of(sim, deployment, body)
    return answered
