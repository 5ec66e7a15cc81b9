"""The most, and the likely number of tokens that the parts of a body count for which are no text.

Base64 is no text: its length bounds the duration of a sound or the size of a file, and says nothing about the
tokens of an image. What is behind an id or a URL may be as long as the model's context window.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
from typing import Any, NamedTuple

from tasks.content.parts import MEDIA, Part, media_in

#: the most that a provider counts for one image: gpt-4o-mini 48,169 for eight tiles
IMAGE_TOKENS = 50_000
#: the most tokens for a second of sound: Gemini counts 32, OpenAI 10
AUDIO_TOKENS_PER_S = 50
#: the least bytes of a second of sound: 8 kbit/s MP3, 6 kbit/s Opus; ADPCM in a WAV file of 8 kHz; 8 kHz PCM
_BYTES_PER_S = {"wav": 4_000, "pcm16": 16_000, "mp3": 1_000}
_LEAST_BYTES_PER_S = 750
#: what a file, a video or a sound of unknown length may count for: the largest context windows of today
UNKNOWN_TOKENS = 1_000_000
#: one tile, and the four of a photograph
_LIKELY_IMAGE = {"low": 250, "high": 1_000}
_LIKELY_PER_S = 25
#: 128 kbit/s MP3
_USUAL_BYTES_PER_S = 16_000
#: a few pages, or half a minute
_LIKELY_UNKNOWN = 5_000
#: the formats of a WAV file whose samples have one size: integers and floats
_PCM = (1, 3)

#: any of these stands in a canonical body with such a part; a quotation inside of a text has escaped quotes
_MEDIA = re.compile(rf'"type":"(?:{"|".join(MEDIA)}|input_image|input_file)"')


class Media(NamedTuple):
    """The parts of a body that are no text.

    Attributes:
        characters: The length of their data and URLs in the body; none of it is text.
        bytes: The same in bytes of UTF-8.
        tokens: The most input tokens that those of known length count for.
        unknown: How many may be as long as the model's context window.
        likely: The input tokens that they probably count for.
    """

    characters: int = 0
    bytes: int = 0
    tokens: int = 0
    unknown: int = 0
    likely: int = 0


_NONE = Media()


def media_of(body: str) -> Media:
    """Return the parts of a canonical body that are no text; a body without any is not parsed."""
    if _MEDIA.search(body) is None:
        return _NONE
    parts = list(media_in(json.loads(body)))
    tokens = [most_tokens(part) for part in parts]
    known = [number for number in tokens if number is not None]
    data = [value for part in parts for value in _data(part)]
    return Media(
        characters=sum(map(len, data)),
        bytes=sum(len(value.encode()) for value in data),
        tokens=sum(known),
        unknown=len(tokens) - len(known),
        likely=sum(map(likely_tokens, parts)),
    )


def most_tokens(part: Part) -> int | None:
    """Return the most input tokens of a part that is no text; None if its length is not known."""
    if part["type"] == "image_url":
        return IMAGE_TOKENS
    if part["type"] == "input_audio":
        audio = part["input_audio"]
        return AUDIO_TOKENS_PER_S * (1 + 3 * len(audio["data"]) // 4 // _bytes_per_s(audio))
    return None


def likely_tokens(part: Part) -> int:
    """Return the input tokens that a part probably counts for which is no text."""
    if part["type"] == "image_url":
        return _LIKELY_IMAGE["low" if part["image_url"].get("detail") == "low" else "high"]
    if part["type"] == "input_audio":
        audio = part["input_audio"]
        rate = max(_bytes_per_s(audio), _USUAL_BYTES_PER_S)
        return _LIKELY_PER_S * (1 + 3 * len(audio["data"]) // 4 // rate)
    return _LIKELY_UNKNOWN


def _data(part: Part) -> list[str]:
    """Return the data, ids and URLs of a part as they stand in the body."""
    return [value for value in part[part["type"]].values() if isinstance(value, str)]


def _bytes_per_s(audio: dict[str, Any]) -> int:
    kind = audio["format"].lower()
    return (_wav_bytes_per_s(audio["data"]) if kind == "wav" else 0) or _BYTES_PER_S.get(
        kind, _LEAST_BYTES_PER_S
    )


def _wav_bytes_per_s(data: str) -> int:
    """Return the rate that the header of a WAV file with PCM samples implies; 0 for any other one."""
    try:
        header = base64.b64decode(data[:64])
        name, tag, channels, samples_per_s, _, _, bits = struct.unpack_from("<4s16xHHIIHH", header)
    except (binascii.Error, ValueError, struct.error):
        return 0
    return channels * samples_per_s * bits // 8 if name == b"RIFF" and tag in _PCM else 0
