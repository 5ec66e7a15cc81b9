"""The search for secrets in what a run leaves behind: plain, escaped, and inside base64."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from urllib.parse import quote


def leaks(places: Mapping[str, bytes | str], secrets: Iterable[str]) -> list[tuple[str, str]]:
    """Return the (place, secret) pairs found: plain, escaped, or inside base64, as in kombu's messages."""
    found = []
    for secret in secrets:
        spelt = _spellings(secret)
        for place, content in places.items():
            raw = content.encode() if isinstance(content, str) else content
            if any(spelling in raw for spelling in spelt):
                found.append((place, secret))
    return found


def _spellings(secret: str) -> set[bytes]:
    raw = secret.encode()
    plain = {raw, json.dumps(secret)[1:-1].encode(), quote(secret).encode()}
    return plain | {_inside_base64(raw, offset) for offset in range(3)}


def _inside_base64(raw: bytes, offset: int) -> bytes:
    """Return the part of the secret's base64 that depends on it alone, at this offset modulo three bytes."""
    encoded = base64.b64encode(bytes(offset) + raw)
    start = (8 * offset + 5) // 6
    return encoded[start : (len(raw) + offset) * 8 // 6]
