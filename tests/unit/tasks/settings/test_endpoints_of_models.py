"""Which endpoints a model offers: by its settings, else by LiteLLM's list, else what most servers have."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tasks.settings import ModelSettings, Settings

CHAT, RESPONSES, COMPLETIONS = "/v1/chat/completions", "/v1/responses", "/v1/completions"
EMBEDDINGS, MODERATIONS = "/v1/embeddings", "/v1/moderations"


def model(litellm: str, **values: Any) -> ModelSettings:
    return ModelSettings(name="m", litellm=litellm, **values)


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("openai/gpt-4o-mini", {CHAT, RESPONSES}),
        ("anthropic/claude-sonnet-4-5", {CHAT, RESPONSES}),
        ("openai/text-embedding-3-small", {EMBEDDINGS}),
        ("openai/omni-moderation-latest", {MODERATIONS}),
        ("openai/my-server", {CHAT, RESPONSES, COMPLETIONS, EMBEDDINGS}),
        ("openai/tts-1", set()),
    ],
)
def test_the_list_says_which_endpoints_a_model_offers(name: str, offered: set[str]) -> None:
    assert model(name).offered_endpoints == offered


def test_the_settings_outrank_the_list_of_endpoints() -> None:
    assert model("openai/gpt-4o-mini", endpoints=[COMPLETIONS]).offered_endpoints == {COMPLETIONS}


def test_moderations_go_to_servers_with_openais_api_only() -> None:
    assert MODERATIONS not in model("mistral/guard", endpoints=[MODERATIONS]).offered_endpoints
    guard = model("openai/guard", api_base="https://guard.example/v1", endpoints=[MODERATIONS])
    assert guard.offered_endpoints == {MODERATIONS}


def test_an_unknown_endpoint_is_an_error() -> None:
    with pytest.raises(ValidationError, match="is no endpoint"):
        model("openai/x", endpoints=["/v1/images/generations"])


def test_a_model_of_embeddings_alone_is_no_candidate() -> None:
    models = (
        ModelSettings(name="chat", litellm="openai/gpt-4o-mini"),
        ModelSettings(name="vectors", litellm="openai/text-embedding-3-small"),
    )
    assert [one.name for one in Settings(models=models).candidates] == ["chat"]
