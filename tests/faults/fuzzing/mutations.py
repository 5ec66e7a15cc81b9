"""Random damage to bytes and to JSON values, seeded, so that it can be repeated."""

from __future__ import annotations

import json
from random import Random
from typing import Any

#: what parsers stumble over
_TOKENS = (
    b"\0", b"\r", b"\n", b'"', b"'", b",", b"{", b"}", b"[", b"]", b":", b"\\", b"\\u0000", b"\\ud800",
    b"\xff", b"\xc3",
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b"NaN", b"Infinity", b"-0", b"1e999", b"1" * 400, b"null", b"true",
    b"\xe2\x80\xa8", b"[" * 200, b'{"a":' * 90, b"=cmd()", b"\x1b[31m", b"auto", b'""', b"\t", b" ",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**31, 2**63, 2**200, -(2**63), 1e308, "", "x", "\0", "\ud800", "é" * 300,
    "../../etc/passwd", "/dev/zero", [], {}, [[]], {"": {}}, [None], "NaN", [1, "a", None], float("nan"),
)  # fmt: skip


def damaged(data: bytes, random: Random) -> bytes:
    """Return the bytes with one to four changes."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        data = _change(data, random)
    return data


def _change(data: bytes, random: Random) -> bytes:
    at = random.randint(0, len(data))
    to = min(len(data), at + random.choice((1, 1, 2, 8, 64)))
    match random.randrange(6):
        case 0:
            return data[:at] + random.choice(_TOKENS) + data[at:]
        case 1:
            return data[:at] + data[to:]
        case 2:
            return data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]
        case 3:
            return data[:at] + data[at:to] * random.choice((2, 3, 50)) + data[to:]
        case 4:
            return data[:at]
        case _:
            flipped = data[at] ^ 1 << random.randrange(8) if at < len(data) else 0
            return data[:at] + bytes([flipped]) + data[at + 1 :]


def altered(value: Any, random: Random) -> Any:
    """Return the JSON value with one part changed, removed, or moved to another key."""
    copy = json.loads(json.dumps(value))
    places = list(_places(copy))
    container, key = random.choice(places)
    match random.randrange(4):
        case 0:
            del container[key]
        case 1 if isinstance(container, dict):
            container[random.choice(("extra", "", "model", "\0"))] = container.pop(key)
        case _:
            container[key] = random.choice(_VALUES)
    return copy


def _places(value: Any) -> Any:
    """Yield every (container, key) of a JSON value."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from _places(value[key])
