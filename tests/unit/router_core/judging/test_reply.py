"""Parsing of a judge's reply: a valid verdict, or NONE."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_core.judging.reply import parse_verdict
from router_core.judging.verdicts import Verdict

VALID = {"clarity": "A", "accuracy": "tie", "completeness": "B", "winner": "A"}


def test_the_winner_is_named_by_its_position() -> None:
    for winner, verdict in (("A", Verdict.FIRST), ("B", Verdict.SECOND), ("tie", Verdict.TIE)):
        assert parse_verdict(json.dumps({**VALID, "winner": winner})) is verdict


def test_text_and_fences_around_the_object_do_no_harm() -> None:
    reply = f"Let me see {{ok}}.\n```json\n{json.dumps(VALID, indent=1)}\n```\nDone."
    assert parse_verdict(reply) is Verdict.FIRST


def test_other_keys_are_ignored() -> None:
    assert parse_verdict(json.dumps({**VALID, "why": {"winner": "B"}})) is Verdict.FIRST


@pytest.mark.parametrize(
    "reply",
    [
        "", "A", "answer A is better", "{", "[" * 30_000, '{"winner": "A"}', json.dumps([VALID["winner"]]),
        json.dumps({**VALID, "winner": "C"}), json.dumps({**VALID, "winner": ["A"]}),
        json.dumps({**VALID, "accuracy": 1}), json.dumps(VALID) + json.dumps({**VALID, "winner": "B"}),
    ],
)  # fmt: skip
def test_anything_else_is_no_verdict(reply: str) -> None:
    assert parse_verdict(reply) is Verdict.NONE


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert parse_verdict(text) is Verdict.NONE
