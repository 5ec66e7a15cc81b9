"""A judge's reply: a JSON object of a fixed shape, or nothing that can be used."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from router_core.judging.verdicts import Verdict

#: replies are short; what is longer is not searched
MAX_CHARACTERS = 20_000

_Choice = Literal["A", "B", "tie"]
_VERDICTS = {"A": Verdict.FIRST, "B": Verdict.SECOND, "tie": Verdict.TIE}


class _Reply(BaseModel):
    """The object that the prompt asks for; reasons that a judge adds are passed over."""

    model_config = ConfigDict(extra="ignore", strict=True)

    clarity: _Choice
    accuracy: _Choice
    completeness: _Choice
    winner: _Choice


def parse_verdict(reply: str) -> Verdict:
    """Return the verdict in a judge's reply; NONE unless it holds exactly one object of the right shape.

    Text around the object is allowed, since models like to add it; two different verdicts are none.
    """
    found = {_VERDICTS[one.winner] for one in map(_validated, _objects(reply[:MAX_CHARACTERS])) if one}
    return found.pop() if len(found) == 1 else Verdict.NONE


def _objects(text: str) -> list[Any]:
    """Return every outermost JSON object in the text."""
    decoder, objects, at = json.JSONDecoder(), [], text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
            objects.append(value)
        except (ValueError, RecursionError):
            end = at + 1
        at = text.find("{", end)
    return objects


def _validated(value: Any) -> _Reply | None:
    try:
        return _Reply.model_validate(value)
    except ValidationError:
        return None
