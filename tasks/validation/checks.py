"""The check of one answer against its request's demands: a pure function, run in a process of its own."""

from __future__ import annotations

from tasks.validation import repair, schema, validators
from tasks.validation.repair import Candidate
from tasks.validation.values import Answer, AnswerCheck, Expectation

#: the longest answer that is checked
MAX_ANSWER_CHARS = 4 << 20
_CUT = {"length": "cut at the token limit", "content_filter": "cut by the content filter"}


def check(expectation: Expectation, answer: Answer) -> AnswerCheck:
    """Return whether an answer fits, and its repaired text where only text around its JSON was wrong."""
    if answer.refused:
        return AnswerCheck(False, "refusal")
    if _size(answer) > MAX_ANSWER_CHARS:
        return AnswerCheck(None, "longer than what is checked")
    try:
        found = _check_calls(expectation, answer) or _check_text(expectation, answer)
    except schema.TooCostlyError:
        return AnswerCheck(None, "too costly to check")
    except schema.SchemaError:
        return AnswerCheck(None, "its schema cannot be used")
    if found.valid is False and answer.cut:
        return AnswerCheck(False, _CUT[answer.cut])
    return found


def _size(answer: Answer) -> int:
    return len(answer.text or "") + sum(len(arguments) for _, arguments in answer.calls)


def _check_calls(expectation: Expectation, answer: Answer) -> AnswerCheck | None:
    """Return what is wrong with the tool calls; None if nothing is."""
    if not expectation.tools:
        return None
    tools = dict(expectation.tools)
    for number, (name, arguments) in enumerate(answer.calls, start=1):
        if name not in tools:
            return AnswerCheck(False, f"tool call {number}: not a tool of the request")
        # Some providers send no arguments as an empty text.
        value = repair.parsed(arguments or "{}")
        if value is None:
            return AnswerCheck(False, f"tool call {number}: not JSON")
        if error := schema.misfit(tools[name] or "{}", value[0]):
            return AnswerCheck(False, f"tool call {number}: {error}")
    return None


def _check_text(expectation: Expectation, answer: Answer) -> AnswerCheck:
    """Check the text; a reply that calls tools instead of answering has none to check."""
    if answer.calls:
        return AnswerCheck(True)
    text, checked = answer.text or "", AnswerCheck(True)
    demanded = expectation.schema
    if demanded is None and validators.JSON in expectation.validators:
        demanded = "{}"
    if demanded is not None:
        checked = _check_json(demanded, text)
        text = text if checked.text is None else checked.text
    if not checked.valid:
        return checked
    for validator in expectation.validators:
        if validator != validators.JSON and (error := validators.misfit(validator, text)):
            return AnswerCheck(False, error)
    return checked


def _check_json(demanded: str, text: str) -> AnswerCheck:
    """Check a text against a schema, and look for the one JSON value in it if it is no JSON itself."""
    if (value := repair.parsed(text)) is not None:
        error = schema.misfit(demanded, value[0])
        return AnswerCheck(True) if error is None else AnswerCheck(False, str(error))
    found = repair.candidates(text)
    errors = [schema.misfit(demanded, one.value) for one in found]
    fitting = [one for one, error in zip(found, errors, strict=True) if error is None]
    if fitting and _all_equal(fitting):
        return AnswerCheck(True, text=fitting[-1].text, repaired=fitting[-1].repaired)
    if fitting:
        return AnswerCheck(False, "holds several answers")
    return AnswerCheck(False, str(errors[0]) if len(errors) == 1 else "not JSON" if text.strip() else "empty")


def _all_equal(found: list[Candidate]) -> bool:
    return all(one.text == found[0].text for one in found)
