"""Completions with all their parts, at other places than OpenAI's API has them: inside a wrapping object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.json_values import object_of
from tasks.providers.replies.answers import choices_in
from tasks.providers.replies.parsing import ParsedBody

#: the word of `mended` for a reply that was inside another object
ENVELOPE = "envelope"
#: where gateways put the reply of the server behind them (Cloudflare: `result`)
_ENVELOPES = ("data", "result", "response")
#: what holds the answers, at any endpoint
_ANSWERS = ("choices", "output", "results", "data")


def in_place(parsed: ParsedBody) -> ParsedBody:
    """Return the reply that a response holds, with its usage block where the other readers look for it."""
    outer = parsed.value
    reply = _inside(outer)
    mended = parsed.mended if reply is outer else (*parsed.mended, ENVELOPE)
    if not object_of(reply.get("usage")) and (usage := _usage(reply) or _usage(outer)):
        reply = {**reply, "usage": usage}
    return ParsedBody(reply, mended)


def _inside(outer: dict[str, Any]) -> dict[str, Any]:
    """Return the reply inside an object that is only its wrapping, else the object."""
    if any(outer.get(name) for name in _ANSWERS if not isinstance(outer.get(name), dict)):
        return outer
    found = (object_of(outer.get(name)) for name in _ENVELOPES)
    return next((inner for inner in found if _holds_answers(inner)), outer)


def _holds_answers(value: Mapping[str, Any]) -> bool:
    return any(isinstance(value.get(name), list) and value[name] for name in _ANSWERS)


def _usage(reply: Mapping[str, Any]) -> dict[str, Any]:
    """Return the usage block: that of the reply, Groq's of streams, or Moonshot's in the choice."""
    named = object_of(reply.get("usage")) or object_of(object_of(reply.get("x_groq")).get("usage"))
    return named or next((block for one in choices_in(reply) if (block := object_of(one.get("usage")))), {})
