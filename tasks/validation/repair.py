"""Repairs of answers that hold JSON inside other text: what stands around it is removed, nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

BOM = "\ufeff"
_FENCES = ("```", "~~~")
_THINK = ("<think>", "</think>")
#: the places at which JSON may begin that are tried; models write few
_MAX_STARTS = 64


class Candidate(NamedTuple):
    """A part of a text that is JSON, and what was removed around it."""

    text: str
    repaired: tuple[str, ...]
    value: object


def parsed(text: str) -> tuple[object] | None:
    """Return the value of a JSON text in a tuple; None if it is no JSON."""
    try:
        return (_DECODER.decode(text),)
    except (ValueError, RecursionError):
        return None


def candidates(text: str) -> list[Candidate]:
    """Return the parts of a text that may be its JSON, found by the mildest repair that finds any."""
    bare = _without_thoughts(text.removeprefix(BOM))
    removed = ("bom",) if text.startswith(BOM) else ()
    more = ("text",) if len(bare) < len(text) - len(removed) else ()
    found = _all(bare, [bare], (*removed, *more))
    if not found:
        blocks = [block for _, block in fenced_blocks(bare)]
        found = _all(bare, blocks, (*removed, "fences"))
    return found or [Candidate(one.text, (*removed, *one.repaired), one.value) for one in _embedded(bare)]


def fenced_blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield the language and the content of each fenced block; the last one may lack its end."""
    fence, language, lines = "", "", list[str]()
    for line in text.splitlines(keepends=True):
        stripped = line.strip()
        if fence and stripped.startswith(fence) and not stripped.strip(fence[0]):
            yield language, "".join(lines)
            fence, lines = "", []
        elif fence:
            lines.append(line)
        elif stripped.startswith(_FENCES):
            fence = stripped[: len(stripped) - len(stripped.lstrip(stripped[0]))]
            language = stripped[len(fence) :].strip().lower()
    if fence:
        yield language, "".join(lines)


def _all(whole: str, parts: list[str], repaired: tuple[str, ...]) -> list[Candidate]:
    """Return those parts of a text that are JSON."""
    found = []
    for part in parts:
        if (value := parsed(part)) is not None:
            found.append(Candidate(part.strip(), repaired, value[0]))
    return found


def _embedded(text: str) -> Iterator[Candidate]:
    """Yield the JSON objects and arrays that stand in a text."""
    at = tries = 0
    while tries < _MAX_STARTS and (start := _next_start(text, at)) is not None:
        try:
            value, at = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            at, tries = start + 1, tries + 1
            continue
        yield Candidate(text[start:at], (_around(text[:start] + text[at:]),), value)


def _next_start(text: str, at: int) -> int | None:
    starts = [start for bracket in "{[" if (start := text.find(bracket, at)) >= 0]
    return min(starts, default=None)


def _around(rest: str) -> str:
    """Return what stood around: a fence on the line of the JSON itself, or text."""
    return "text" if rest.replace("`", "").strip().lower() not in ("", "json") else "fences"


def _without_thoughts(text: str) -> str:
    """Return the text after the reasoning that some servers leave in front of an answer."""
    if not text.lstrip().startswith(_THINK[0]):
        return text
    thoughts, end, answer = text.partition(_THINK[1])
    return answer if end else thoughts


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
