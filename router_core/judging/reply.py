"""Parsing of a judge's reply, which is valid if it holds one JSON object of a fixed shape."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from router_core.judging.verdicts import Verdict

#: Valid replies are short; only this many characters are searched.
MAX_CHARACTERS = 20_000

_Choice = Literal["A", "B", "tie"]
_VERDICTS = {"A": Verdict.FIRST, "B": Verdict.SECOND, "tie": Verdict.TIE}


class _Reply(BaseModel):
    """The JSON object that the prompt asks for; other keys are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)

    clarity: _Choice
    accuracy: _Choice
    completeness: _Choice
    winner: _Choice


def parse_verdict(reply: str) -> Verdict:
    """Return the verdict in a judge's reply, NONE if the reply is invalid.

    A reply is valid if it contains an object of the right shape. Text around the object is allowed, because
    models often add it. A reply with objects of different winners is invalid.
    """
    valid = filter(None, map(_validated, _objects(reply[:MAX_CHARACTERS])))
    verdicts = {_VERDICTS[one.winner] for one in valid}
    return verdicts.pop() if len(verdicts) == 1 else Verdict.NONE


def _objects(text: str) -> list[Any]:
    """Return every outermost JSON object in the text."""
    decoder, objects, start = json.JSONDecoder(), [], text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
            objects.append(value)
        except (ValueError, RecursionError):
            end = start + 1
        start = text.find("{", end)
    return objects


def _validated(value: Any) -> _Reply | None:
    try:
        return _Reply.model_validate(value)
    except ValidationError:
        return None
