"""A judge's reply is a valid verdict or none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_core.judging.reply import verdict_of
from router_core.judging.verdicts import Verdict

WHOLE = {"clarity": "A", "accuracy": "tie", "completeness": "B", "winner": "A"}


def test_the_winner_is_read_by_its_place() -> None:
    for winner, verdict in (("A", Verdict.FIRST), ("B", Verdict.SECOND), ("tie", Verdict.TIE)):
        assert verdict_of(json.dumps({**WHOLE, "winner": winner})) is verdict


def test_text_and_fences_around_the_object_do_no_harm() -> None:
    assert (
        verdict_of(f"Let me see {{ok}}.\n```json\n{json.dumps(WHOLE, indent=1)}\n```\nDone.") is Verdict.FIRST
    )


def test_reasons_beside_the_verdict_are_passed_over() -> None:
    assert verdict_of(json.dumps({**WHOLE, "why": {"winner": "B"}})) is Verdict.FIRST


@pytest.mark.parametrize(
    "reply",
    [
        "", "A", "answer A is better", "{", "[" * 30_000, '{"winner": "A"}', json.dumps([WHOLE["winner"]]),
        json.dumps({**WHOLE, "winner": "C"}), json.dumps({**WHOLE, "winner": ["A"]}),
        json.dumps({**WHOLE, "accuracy": 1}), json.dumps(WHOLE) + json.dumps({**WHOLE, "winner": "B"}),
    ],
)  # fmt: skip
def test_anything_else_is_no_verdict(reply: str) -> None:
    assert verdict_of(reply) is Verdict.NONE


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    assert verdict_of(text) is Verdict.NONE
