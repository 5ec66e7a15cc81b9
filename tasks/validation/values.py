"""The values of answer checks: what a request demands, what a reply holds, and how the two compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: what becomes of an answer that does not fit: nothing is checked, it is kept and flagged, or asked for again
Mode = Literal["off", "flag", "retry"]
#: why a reply stopped before its end
Cut = Literal["", "length", "content_filter"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a request demands of its answer; false where it demands nothing.

    Attributes:
        schema: The JSON schema of the text, as JSON; `{}` where any JSON will do.
        tools: The schema of each tool's arguments by its name, as JSON; None where any JSON will do. Empty
            where no tool is strict.
        validators: The user's own validators; see `tasks.validation.validators`.
    """

    schema: str | None = None
    tools: tuple[tuple[str, str | None], ...] = ()
    validators: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.schema is not None or bool(self.tools) or bool(self.validators)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reply holds.

    Attributes:
        text: The text; None if it has none.
        calls: The name and the arguments of each tool call.
        refused: Whether the model refused to answer.
        cut: Why the reply stopped before its end, if it did.
    """

    text: str | None
    calls: tuple[tuple[str, str], ...] = ()
    refused: bool = False
    cut: Cut = ""


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """The result of a check.

    Attributes:
        valid: Whether the answer fits; None where that could not be found out.
        reason: Why it does not fit, or could not be checked: a JSON pointer and a keyword, never its text.
        text: The repaired text; None if nothing was repaired.
        repaired: What was removed around the JSON: `bom`, `fences`, `text`.
    """

    valid: bool | None
    reason: str = ""
    text: str | None = None
    repaired: tuple[str, ...] = ()
