"""The most tokens of images, sounds and files in a body."""

from __future__ import annotations

import base64
import struct
from typing import Any

from tasks.content.bounds import AUDIO_TOKENS_PER_S, IMAGE_TOKENS, Media, media_of
from tasks.formats.requests import canonical_body


def body_with(*parts: dict[str, Any]) -> str:
    return canonical_body({"messages": [{"role": "user", "content": list(parts)}]})


def audio(data: bytes, kind: str) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": base64.b64encode(data).decode(), "format": kind}}


def wav(*, seconds: int, samples_per_s: int = 24_000) -> bytes:
    size = seconds * samples_per_s * 2
    header = struct.pack(
        "<4sI8sIHHIIHH4sI",
        *(b"RIFF", 36 + size, b"WAVEfmt ", 16, 1, 1, samples_per_s, 2 * samples_per_s, 2, 16, b"data", size),
    )
    return header + bytes(size)


def test_text_has_no_media() -> None:
    quotation = {"type": "text", "text": '{"type":"image_url"}'}
    assert media_of(body_with(quotation)) == Media()


def test_an_image_counts_for_as_much_whether_it_is_there_or_behind_a_url() -> None:
    data = "data:image/png;base64," + "A" * 400_000
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in (data, "https://example.org/a.png")]
    characters = len(data) + len("https://example.org/a.png")
    assert media_of(body_with(*parts))[:4] == (characters, characters, 2 * IMAGE_TOKENS, 0)


def test_a_sound_counts_by_its_duration() -> None:
    bound = media_of(body_with(audio(wav(seconds=60), "wav")))
    assert 60 * AUDIO_TOKENS_PER_S <= bound.tokens <= 63 * AUDIO_TOKENS_PER_S
    assert media_of(body_with(audio(bytes(60_000), "mp3"))).tokens >= 60 * AUDIO_TOKENS_PER_S


def test_a_header_that_cannot_be_read_makes_a_sound_as_long_as_it_can_be() -> None:
    for data in (b"", b"RIFF", bytes(60 * 4_000), b"RIFF" + bytes(60 * 4_000)):
        least = len(data) // 4_000 * AUDIO_TOKENS_PER_S
        assert media_of(body_with(audio(data or b"x", "wav"))).tokens >= least


def test_a_file_or_video_may_fill_the_context_window() -> None:
    parts = [
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "file", "file": {"file_data": "AAAA", "filename": "a.pdf"}},
        {"type": "video_url", "video_url": {"url": "https://example.org/a.mp4"}},
    ]
    characters = len("file-1AAAAa.pdfhttps://example.org/a.mp4")
    assert media_of(body_with(*parts))[:4] == (characters, characters, 0, 3)
