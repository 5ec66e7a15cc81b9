"""From the bytes of a response to its JSON object: what cannot be read as JSON is mended, and said so."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NamedTuple

from tasks.providers.replies.event_stream import assemble, is_event_stream

#: The words of `mended`: numbers that JSON lacks are null; bytes that are no text are replaced, line breaks
#: within texts are kept, commas behind last values and what follows the object are left out; a stream of
#: events, which nobody asked for, is put together.
NUMBERS, TEXT, STREAM = "numbers", "text", "event_stream"

#: what some proxies send to keep the connection open until the answer is there (OpenRouter)
_KEEP_ALIVE = re.compile(r"(?:\s*:[^\n]*(?:\n|$))+")
_WHITESPACE = " \t\r\n\0\ufeff"
#: more digits than any integer of a provider has; far below the limit of Python's conversion
_MAX_DIGITS = 400
#: a comma behind the last value of an object or a list; what is in a text is passed over as a whole
_TRAILING_COMMA = re.compile(r"""(?P<text>"[^"\\]*+(?:\\.[^"\\]*+)*+"?)|,(?=\s*[}\]])""", re.DOTALL)


class ParsedBody(NamedTuple):
    """The JSON object of a response, and what was mended of it."""

    value: dict[str, Any]
    mended: tuple[str, ...] = ()


def parse_body(content: str | bytes) -> ParsedBody | None:
    """Return the JSON object in a response's body; None if it holds none."""
    mended: set[str] = set()
    text = content if isinstance(content, str) else _decoded(content, mended)
    text = _KEEP_ALIVE.sub("", text.strip(_WHITESPACE), count=1) if text.lstrip().startswith(":") else text
    text = text.strip(_WHITESPACE)
    if is_event_stream(text):
        mended.add(STREAM)
        value = assemble(text, lambda part: _load(part, mended))
    else:
        value = _load(text, mended)
    if isinstance(value, list) and len(value) == 1:  # Gemini's errors
        value = value[0]
    return ParsedBody(value, tuple(sorted(mended))) if isinstance(value, dict) else None


def _decoded(content: bytes, mended: set[str]) -> str:
    # A byte order mark may precede it; UTF-16 and UTF-32 are told by their zeros (RFC 4627, section 3).
    encoding = json.detect_encoding(content) if content else "utf-8"
    try:
        # Half of a surrogate pair is kept, as it is where it came as an escape.
        return content.decode(encoding, "surrogatepass").removeprefix("\ufeff")
    except UnicodeDecodeError:
        mended.add(TEXT)
        return content.decode("utf-8-sig", "replace")


def _load(text: str, mended: set[str]) -> Any:
    """Return the JSON value; None if it is not JSON, or nested too deeply."""
    try:
        return _PLAIN.decode(text)  # almost all are; a decoder of one's own takes longer to make than to use
    except ValueError:
        return _mended(text, mended)
    except RecursionError:
        return None


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("not finite")
    return number


def _no_constant(name: str) -> None:
    raise ValueError(name)


#: raises ValueError for numbers that JSON or Python lacks
_PLAIN = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)


def _mended(text: str, mended: set[str]) -> Any:
    numbers = _Numbers(mended)
    try:
        try:
            return json.loads(text, parse_constant=numbers.missing, parse_float=numbers.finite)
        except json.JSONDecodeError:
            return _leading_object(text, numbers, mended)
        except ValueError:  # an integer of more digits than Python converts
            return json.loads(
                text, parse_constant=numbers.missing, parse_float=numbers.finite, parse_int=numbers.short
            )
    except (ValueError, RecursionError):
        return None


def _leading_object(text: str, numbers: _Numbers, mended: set[str]) -> dict[str, Any] | None:
    """Return the object that the text begins with.

    There may be line breaks in its texts, commas behind its last values, and anything after it.
    """
    decoder = json.JSONDecoder(strict=False, parse_constant=numbers.missing, parse_float=numbers.finite)
    try:
        value, _ = decoder.raw_decode(text)
    except json.JSONDecodeError:
        value, _ = decoder.raw_decode(_TRAILING_COMMA.sub(_kept, text))
    if not isinstance(value, dict):
        return None
    mended.add(TEXT)
    return value


def _kept(match: re.Match[str]) -> str:
    return match["text"] or ""


class _Numbers:
    """The parsers of numbers, which give null for those that JSON or Python lacks."""

    def __init__(self, mended: set[str]) -> None:
        self._mended = mended

    def missing(self, _: str) -> None:
        self._mended.add(NUMBERS)

    def finite(self, digits: str) -> float | None:
        number = float(digits)
        if math.isinf(number):
            self.missing(digits)
            return None
        return number

    def short(self, digits: str) -> int | None:
        if len(digits) > _MAX_DIGITS:
            self.missing(digits)
            return None
        return int(digits)
