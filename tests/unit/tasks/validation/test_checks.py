"""Answers against demands, as tables of cases."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import UsageError
from tasks.validation import checks, repair, validators
from tasks.validation.child import checked_line, job_line
from tasks.validation.values import Answer, AnswerCheck, Expectation

PERSON = json.dumps(
    {
        "type": "object",
        "properties": {"age": {"type": "integer"}, "tags": {"type": "array", "items": {"minLength": 2}}},
        "required": ["age"],
        "additionalProperties": {"type": "null"},
    }
)
FIT = '{"age": 7}'


def check(text: str | None, *, demanded: str | None = PERSON, **options: Any) -> AnswerCheck:
    return checks.check(Expectation(demanded), Answer(text, **options))


@pytest.mark.parametrize("text", [FIT, f"  {FIT}\n", '{"tags": ["ab"], "age": 1.0}', '{"age": 7, "x": null}'])
def test_what_fits_is_valid_as_it_is(text: str) -> None:
    assert check(text) == AnswerCheck(True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (None, "empty"),
        ("   ", "empty"),
        ("seven", "not JSON"),
        ('{"age": 7', "not JSON"),
        ('{"age": 7,}', "not JSON"),
        ("{'age': 7}", "not JSON"),
        ('{"age": NaN}', "not JSON"),
        ("7", "#: type"),
        ("[]", "#: type"),
        ("{}", "#: required"),
        ('{"age": "7"}', "#/age: type"),
        ('{"age": 7, "tags": ["ab", "c"]}', "#/tags/1: minLength"),
        # a key that only the answer knows is its text
        ('{"age": 7, "secret": 1}', "#/*: type"),
        (f"{FIT} or rather {FIT[:-2]}8}}", "holds several answers"),
        ("```json\n{}\n```", "#: required"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_does_not_fit_has_a_reason_that_quotes_nothing(text: str | None, reason: str) -> None:
    assert check(text) == AnswerCheck(False, reason)


@pytest.mark.parametrize(
    ("text", "removed"),
    [
        (f"```json\n{FIT}\n```", ("fences",)),
        (f"```\n{FIT}\n```\n", ("fences",)),
        (f"~~~~JSON\n{FIT}\n~~~~", ("fences",)),
        (f"```json\n{FIT}", ("fences",)),
        (f"```json {FIT} ```", ("fences",)),
        (f"Here it is:\n```json\n{FIT}\n```\nEnjoy {{it}}!", ("fences",)),
        (f"```python\nprint(1)\n```\n```json\n{FIT}\n```", ("fences",)),
        (f"\ufeff{FIT}", ("bom",)),
        (f"\ufeff```json\n{FIT}\n```", ("bom", "fences")),
        (f"Sure! {FIT}", ("text",)),
        (f"{FIT}\n\nThe age is 7 [1].", ("text",)),
        (f"{FIT}{FIT}", ("text",)),
        (f'<think>{{"age": 6}}? No.</think>\n{FIT}', ("text",)),
        (f"<think>hm</think>```json\n{FIT}\n```", ("fences",)),
    ],
)
def test_only_what_stands_around_the_json_is_removed(text: str, removed: tuple[str, ...]) -> None:
    assert check(text) == AnswerCheck(True, text=FIT, repaired=removed)


@given(st.text(), st.text())
def test_a_repaired_answer_is_a_part_of_the_answer(before: str, after: str) -> None:
    found = check(before + FIT + after)
    assert found.text is None or (found.text in before + FIT + after and json.loads(found.text))


@given(st.text())
def test_any_text_can_be_checked(text: str) -> None:
    check(text)
    checks.check(Expectation(validators=("python-syntax", "json")), Answer(text))


def test_a_number_keeps_its_digits() -> None:
    exact = '{"age": 12345678901234567890123, "x": null}'
    assert check(f"```\n{exact}\n```").text == exact


@pytest.mark.parametrize(("cut", "reason"), checks._CUT.items())
def test_a_cut_answer_says_that_it_was_cut(cut: Any, reason: str) -> None:
    assert check('{"age": ', cut=cut) == AnswerCheck(False, reason)
    assert check(FIT, cut=cut) == AnswerCheck(True)


def test_a_refusal_is_no_answer_that_fits() -> None:
    assert check(None, refused=True) == AnswerCheck(False, "refusal")


def test_a_very_long_answer_is_not_checked() -> None:
    assert check('"' + "a" * checks.MAX_ANSWER_CHARS + '"').valid is None


TOOLS = (("look", PERSON), ("free", None))


@pytest.mark.parametrize(
    ("calls", "reason"),
    [
        ([("look", FIT)], ""),
        ([("look", FIT), ("free", '{"any": 1}')], ""),
        ([("free", "")], ""),
        ([("look", FIT), ("look", "{}")], "tool call 2: #: required"),
        ([("look", "{age}")], "tool call 1: not JSON"),
        ([("free", "```{}```")], "tool call 1: not JSON"),
        ([("jump", FIT)], "tool call 1: not a tool of the request"),
    ],
)
def test_tool_calls_must_fit_the_tools(calls: list[tuple[str, str]], reason: str) -> None:
    found = checks.check(Expectation(PERSON, TOOLS), Answer(None, tuple(calls)))
    assert found == AnswerCheck(not reason, reason)


def test_without_a_call_the_text_must_fit() -> None:
    assert checks.check(Expectation(PERSON, TOOLS), Answer("hm")).valid is False


@pytest.mark.parametrize(
    ("validator", "text", "valid"),
    [
        ("json", '"a"', True),
        ("json", "a", False),
        ("regex:^[A-D]$", " B\n", True),
        ("regex:^[A-D]$", "B.", False),
        ("regex:answer: \\d+", "The answer: 42!", True),
        ("regex:^(?!.*sorry).+$", "I am sorry", False),
        ("python-syntax", "x = 1", True),
        ("python-syntax", "x = ", False),
        ("python-syntax", "Here:\n```python\nx = 1\n```\nand `this`", True),
        ("python-syntax", "```bash\nls -l\n```", False),
        ("python-syntax", "- a list:\n  ```py\n  x = 1\n  y = 2\n  ```", True),
        ("python-syntax", "", False),
        ("python-syntax", "x = '\0'", False),
        ("python-syntax", "-" * 100_000 + "1", False),
    ],
)
def test_validators_of_the_user(validator: str, text: str, valid: bool) -> None:
    found = checks.check(Expectation(validators=(validators.checked(validator),)), Answer(text))
    assert found.valid is valid


@pytest.mark.parametrize("validator", ["regex:", "regex:((", "xml", "", "regex:((a{100}){100}){100}"])
def test_a_validator_that_cannot_be_used_is_refused(validator: str) -> None:
    with pytest.raises(UsageError):
        validators.checked(validator)


def test_schema_and_validators_must_all_pass_and_see_the_repaired_text() -> None:
    demanded = Expectation(PERSON, validators=("regex:^\\{", "regex:7"))
    assert checks.check(demanded, Answer(f"```\n{FIT}\n```")).valid
    assert checks.check(demanded, Answer('{"age": 8}')) == AnswerCheck(False, "regex")


def test_a_pattern_has_a_limit_of_steps() -> None:
    costly = Expectation(validators=(r"regex:^(?=(a+)+$)(a+)+\1b",))
    assert checks.check(costly, Answer("a" * 5_000 + "c")).valid is not True


def test_a_check_travels_as_lines() -> None:
    demanded = Expectation(PERSON, TOOLS, ("json",))
    result = json.loads(checked_line(job_line(demanded, Answer(f"\ufeff{FIT}\ud800"))))
    assert result == {"valid": True, "reason": "", "text": FIT, "repaired": ["bom", "text"]}


def test_fenced_blocks_are_found_by_line() -> None:
    text = "a\n````python title\nx\n```\ny\n````\n~~~\nz"
    assert list(repair.fenced_blocks(text)) == [("python title", "x\n```\ny\n"), ("", "z")]
