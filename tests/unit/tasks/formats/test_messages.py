"""Messages as people really send them: their checks, and the prompt for the router."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.formats.reading import InputError, ParsedRequest, requests_from

USER = {"role": "user", "content": "why?"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}}
TEXT = {"type": "text", "text": "what is it?"}


def parsed(*messages: Any) -> ParsedRequest | InputError:
    return next(requests_from([{"messages": list(messages)}], models=["m"]))


def prompt_of(*messages: Any) -> str:
    request = parsed(*messages)
    assert isinstance(request, ParsedRequest), request
    return request.prompt


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "assistant", "content": None, "refusal": "no"},
        {"role": "assistant", "refusal": "no"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "content": None, "audio": {"id": "audio_1"}},
        {"role": "assistant", "content": None, "reasoning_content": "hm"},
        {"role": "assistant", "content": "4", "reasoning_content": "hm", "thinking_blocks": []},
        {"role": "assistant", "content": [], "tool_calls": [CALL]},
        {"role": "assistant", "content": ""},
        {"role": "tool", "tool_call_id": "c1", "content": "12"},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "12"}]},
        {"role": "tool", "tool_call_id": "c1", "content": []},
        {"role": "function", "name": "f", "content": None},
        {"role": "developer", "content": "be brief"},
        {"role": "system", "name": "s", "content": [{"type": "text", "text": "be brief"}]},
    ],
)
def test_a_turn_of_a_history_is_kept_as_it_was_sent(turn: dict[str, Any]) -> None:
    import json

    request = parsed({"role": "user", "name": "ann", "content": "hi"}, turn, USER)
    assert isinstance(request, ParsedRequest), request
    assert json.loads(request.body)["messages"][1] == turn
    assert request.prompt == "hi\n\nwhy?"


@pytest.mark.parametrize("role", ["system", "developer"])
def test_without_a_user_the_instructions_are_the_prompt(role: str) -> None:
    assert prompt_of({"role": role, "content": "Say hello"}) == "Say hello"
    assert (
        prompt_of({"role": role, "content": "Say hello"}, {"role": "assistant", "content": "x"})
        == "Say hello"
    )


def test_without_user_and_instructions_the_other_texts_are_the_prompt() -> None:
    assert prompt_of({"role": "assistant", "content": "Once upon"}) == "Once upon"


@pytest.mark.parametrize(
    "part",
    [
        IMAGE,
        AUDIO,
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
        {"type": "video_url", "video_url": {"url": "https://example.org/a.mp4"}},
        {"type": "audio_url", "audio_url": {"url": "https://example.org/a.mp3"}},
    ],
)
def test_media_are_accepted_and_are_no_text_of_the_prompt(part: dict[str, Any]) -> None:
    assert prompt_of({"role": "user", "content": [TEXT, part, TEXT]}) == "what is it?\nwhat is it?"
    assert prompt_of({"role": "user", "content": [part]}) == ""


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("x", "a part is not an object"),
        ({"type": "input_image"}, "the type 'input_image' of a part is none of text, refusal, image_url,"),
        ({"type": "a prompt, perhaps"}, "the type given of a part is none of"),
        ({"type": ["text"]}, "the type given of a part is none of"),
        ({"type": "text"}, "a part of type text holds no text"),
        ({"type": "image_url", "image_url": "https://example.org"}, "a part of type image_url holds no url"),
        (
            {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
            "a part of type image_url holds no url",
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png"}},
            "the data URL of a part of type image_url",
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA"}},
            "a part of type input_audio needs",
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
            "a part of type input_audio needs",
        ),
        ({"type": "file", "file": {"filename": "a.pdf"}}, "a part of type file holds neither"),
        ({"type": "video_url", "video_url": {"url": 5}}, "a part of type video_url holds no url"),
    ],
)
def test_a_part_that_is_wrong_is_named_and_not_quoted(part: object, reason: str) -> None:
    error = parsed({"role": "user", "content": [TEXT, part]})
    assert isinstance(error, InputError)
    assert error.code == "invalid_messages"
    assert error.reason.startswith(f"message 1: {reason}")
    assert "perhaps" not in error.reason


def test_an_empty_list_of_a_user_is_no_content() -> None:
    assert isinstance(parsed({"role": "user", "content": []}), InputError)


def test_a_conversation_without_any_text_or_media_is_empty() -> None:
    error = parsed(
        {"role": "assistant", "content": None, "tool_calls": [CALL]}, {"role": "user", "content": " "}
    )
    assert isinstance(error, InputError)
    assert error.code == "empty_prompt"
