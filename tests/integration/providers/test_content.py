"""Messages of many kinds on the wire: both transports send them as they are."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.providers.interface import Transport
from tests.support.provider_server import COMPLETION, Call, answering, serve

MEDIA: list[dict[str, Any]] = [
    {"type": "text", "text": "what is it?"},
    {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    {"type": "file", "file": {"file_id": "file-1"}},
    {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
    {"type": "video_url", "video_url": {"url": "https://example.org/a.mp4"}},
]
TURNS: list[dict[str, Any]] = [
    {"role": "developer", "content": "be brief"},
    {"role": "user", "name": "ann", "content": "hi"},
    {"role": "assistant", "content": "", "refusal": "no"},
    {"role": "assistant", "content": "4", "reasoning_content": "hm", "audio": {"id": "audio_1"}},
    {"role": "user", "content": [{"type": "text", "text": "why?"}]},
]


def test_images_sounds_files_and_videos_are_sent_as_they_are(call: Call) -> None:
    messages = [{"role": "user", "content": MEDIA}]
    (sent,) = call(answering(COMPLETION), {"messages": messages}).received
    assert sent["messages"] == messages


@pytest.mark.parametrize(
    ("transport", "developer"), [("litellm", "system"), ("auto", "system"), ("direct", "developer")]
)
def test_the_turns_of_a_history_are_sent_as_they_are(transport: Transport, developer: str) -> None:
    (sent,) = serve(answering(COMPLETION), {"messages": TURNS}, transport=transport).received
    # LiteLLM sends `developer` as it stands to OpenAI's own models only.
    assert sent["messages"] == [{**TURNS[0], "role": developer}, *TURNS[1:]]
