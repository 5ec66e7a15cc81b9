"""The bills of docs/money.md are the same over both transports, with LiteLLM's own reading of each reply."""

from __future__ import annotations

import json

import pytest

from router_core.pricing import charged_micros
from tasks.providers.interface import Transport
from tasks.providers.usage import read_usage
from tasks.settings import ModelSettings
from tests.support.bills import Example, examples, whole_reply
from tests.support.provider_server import answering, serve

EXAMPLES = examples()
#: those with OpenAI's API, which the direct transport calls as well
CHAT = [one for one in EXAMPLES if one.provider not in ("Anthropic", "Gemini", "Bedrock")]


@pytest.fixture(autouse=True)
def _aws_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "key")
    monkeypatch.setenv("AWS_REGION_NAME", "us-east-1")


def charged(example: Example, *, transport: Transport, model: str) -> int:
    """Return what a call costs that is answered with the example's reply."""
    # The limit is that of the answer; thoughts come on top.
    request = {"messages": [{"role": "user", "content": "2 + 2?"}], "max_tokens": 10_000}
    reply = serve(answering(whole_reply(example)), request, transport=transport, model=model).reply
    assert reply.usage is not None
    return charged_micros(reply.usage, ModelSettings(name="m", litellm=model, **example.prices).price)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.provider)
def test_a_call_through_litellm_is_charged_what_the_page_says(example: Example) -> None:
    assert charged(example, transport="litellm", model=example.model) == example.charged


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.provider)
def test_a_call_that_goes_either_way_is_charged_what_the_page_says(example: Example) -> None:
    assert charged(example, transport="auto", model=example.model) == example.charged


@pytest.mark.parametrize("example", CHAT, ids=lambda example: example.provider)
def test_a_direct_call_is_charged_what_the_page_says(example: Example) -> None:
    assert charged(example, transport="direct", model="openai/model") == example.charged


@pytest.mark.parametrize("example", CHAT, ids=lambda example: example.provider)
def test_what_litellm_makes_of_a_reply_is_charged_no_less(example: Example) -> None:
    from litellm import ModelResponse
    from litellm.litellm_core_utils.llm_response_utils.convert_dict_to_response import (
        convert_to_model_response_object,
    )

    mapped = convert_to_model_response_object(
        response_object=whole_reply(example), model_response_object=ModelResponse()
    )
    assert isinstance(mapped, ModelResponse)
    usage = read_usage(json.loads(mapped.model_dump_json(warnings=False)))
    assert usage is not None
    price = ModelSettings(name="m", litellm=example.model, **example.prices).price
    assert charged_micros(usage, price) == example.charged
