"""The screening of lines: which models can answer them."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.formats.requests import InputError, ParsedRequest
from tasks.settings import ModelSettings, Settings
from tasks.submission.options import options_for
from tasks.submission.screening import Screen
from tasks.submission.source import BatchInput, Item, from_items

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "AAAA" * 100_000, "format": "wav"}}


def model(name: str, **values: Any) -> ModelSettings:
    return ModelSettings(name=name, litellm=f"x/{name}", input_price=1, output_price=1, **values)


SETTINGS = Settings(
    models=(
        model(
            "small",
            capabilities={"image": False, "audio": False, "context_window": 8_000, "max_output": 2_000},
        ),
        model("large", capabilities={"audio": False, "context_window": 100_000, "tools": False}),
        model("vllm", extra_params=["top_k"], capabilities={"audio": False, "json_schema": False}),
        model("listener", routed=False),
    )
)


def screened(line: dict[str, Any] | str, *models: str) -> Item:
    screen = Screen.of(options_for(SETTINGS, models=models))
    return next(iter(screen.over(from_items([line], SETTINGS))))


def user(*parts: Any, **parameters: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "?"}, *parts]}], **parameters}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"prompt": "hi"}, None),
        (user(IMAGE), {"small": "image"}),
        ({"prompt": "hi", "tools": [{"type": "function", "function": {"name": "f"}}]}, {"large": "tools"}),
        ({"prompt": "hi", "tools": []}, None),
        ({"prompt": "hi", "top_k": 5}, {"small": "+top_k", "large": "+top_k"}),
        ({"prompt": "hi", "response_format": {"type": "json_object"}}, None),
        (
            {
                "prompt": "hi",
                "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}},
            },
            {"vllm": "json_schema"},
        ),
        ({"prompt": "hi", "max_tokens": 2_000}, None),
        ({"prompt": "hi", "max_tokens": 2_001}, {"small": "max_output"}),
        ({"prompt": "hi", "max_completion_tokens": 2_001}, {"small": "max_output"}),
        ({"prompt": "word " * 20_000}, {"small": "context_window"}),
        ({"prompt": "word " * 90_000}, {"small": "context_window", "large": "context_window"}),
        ({"prompt": "一" * 9_000}, {"small": "context_window"}),
        ({"prompt": "word " * 4_000}, None),
    ],
)
def test_a_routed_line_keeps_the_names_of_those_that_cannot_answer_it(
    line: dict[str, Any], expected: dict[str, str] | None
) -> None:
    item = screened(line)
    assert isinstance(item, ParsedRequest), item
    assert item.left_out == expected


def test_a_line_that_no_candidate_can_answer_is_refused_with_the_reasons() -> None:
    error = screened(user(AUDIO))
    assert isinstance(error, InputError)
    assert error.code == "no_capable_model"
    assert error.reason == (
        "no model can answer it: small takes no sound, large takes no sound, vllm takes no sound"
    )


def test_a_named_model_that_cannot_answer_is_refused() -> None:
    error = screened(user(IMAGE, model="small"))
    assert isinstance(error, InputError)
    assert (error.code, error.reason) == ("no_capable_model", "the model small takes no images")
    hint = screened({"prompt": "hi", "top_k": 5, "model": "large"})
    assert isinstance(hint, InputError)
    assert hint.reason == "the model large has no top_k in its extra_params"
    assert isinstance(screened(user(AUDIO, model="listener")), ParsedRequest)


def test_a_named_model_may_try_what_is_not_certainly_too_long() -> None:
    assert isinstance(screened({"prompt": "word " * 20_000, "model": "small"}), ParsedRequest)
    assert isinstance(screened({"prompt": "word " * 40_000, "model": "small"}), InputError)


def test_the_data_of_an_image_are_no_text() -> None:
    settings = Settings(models=(model("small", capabilities={"context_window": 4_000}), model("large")))
    screen = Screen.of(options_for(settings))
    item = next(iter(screen.over(from_items([user({"type": "image_url", "image_url": {
        "url": "data:image/png;base64," + "QUJD" * 100_000}})], settings))))  # fmt: skip
    assert isinstance(item, ParsedRequest)
    assert item.left_out is None


def test_only_the_candidates_of_the_batch_count() -> None:
    item = screened({"prompt": "hi", "top_k": 5}, "vllm", "large")
    assert isinstance(item, ParsedRequest)
    assert item.left_out == {"large": "+top_k"}
    assert isinstance(screened({"prompt": "hi", "top_k": 5}, "small", "large"), InputError)


def test_a_bad_line_stays_as_it_is() -> None:
    assert isinstance(screened({"prompt": ""}), InputError)


def test_what_can_be_read_again_can_be_screened_again() -> None:
    screen = Screen.of(options_for(SETTINGS))
    again = screen.over(from_items(["a", "b"], SETTINGS))
    assert isinstance(again, BatchInput)
    assert list(again) == list(again)
    once = screen.over(from_items(iter(["a"]), SETTINGS))
    assert iter(once) is once
