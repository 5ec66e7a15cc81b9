"""What the settings and LiteLLM's list say of a model."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.capabilities.capabilities import KINDS
from tasks.errors import SettingsError
from tasks.settings import ModelSettings
from tasks.settings.loading import load_settings


def model(litellm: str, **values: Any) -> ModelSettings:
    return ModelSettings(name="m", litellm=litellm, **values)


def test_the_list_says_what_a_model_takes() -> None:
    known = model("openai/gpt-4o-mini").known_capabilities
    assert (known.context_window, known.max_output) == (128_000, 16_384)
    assert known.cannot & KINDS.keys() == {"audio", "video"}
    assert "image" in model("openai/gpt-3.5-turbo").known_capabilities.cannot
    assert "audio" not in model("openai/gpt-audio").known_capabilities.cannot


@pytest.mark.parametrize("name", ["openai/my-server", "hosted_vllm/x", "openai/text-embedding-3-small"])
def test_of_a_model_that_is_not_listed_nothing_is_denied(name: str) -> None:
    known = model(name).known_capabilities
    assert (known.cannot & KINDS.keys(), known.max_output) == (frozenset(), None)


def test_the_settings_outrank_the_list() -> None:
    known = model(
        "openai/gpt-4o-mini",
        capabilities={"audio": True, "image": False, "context_window": 1000, "logprobs": False},
    ).known_capabilities
    assert known.cannot & KINDS.keys() == {"video", "image", "logprobs"}
    assert (known.context_window, known.max_output) == (1000, 16_384)


def test_an_answer_without_a_limit_is_bounded_by_the_models_own() -> None:
    assert model("openai/gpt-4o-mini").answer_tokens == 1024
    assert model("openai/gpt-4o-mini", max_tokens=100_000).answer_tokens == 16_384
    assert model("openai/x", capabilities={"max_output": 100}).answer_tokens == 100


def test_extra_params_are_part_of_it_and_unknown_words_are_errors() -> None:
    assert "top_k" in model("openai/x", extra_params=["vllm"]).known_capabilities.extra
    with pytest.raises(ValueError, match=r"capabilities\.smell"):
        model("openai/x", capabilities={"smell": True})


def test_an_operators_name_among_the_extra_params_stops_the_settings(tmp_path: Any) -> None:
    file = tmp_path / "waybill.toml"
    file.write_text('[[models]]\nname = "m"\nlitellm = "openai/x"\nextra_params = ["vllm", "api_base"]\n')
    with pytest.raises(SettingsError, match="'api_base' is no parameter of a request"):
        load_settings(file)
