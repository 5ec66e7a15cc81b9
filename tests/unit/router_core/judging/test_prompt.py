"""The judge's prompt: whatever question and answers contain, they stay inside their data blocks."""

import re
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_core.judging.prompt import TextLimits, judge_messages, neutralise
from tests.support.injections import INJECTIONS

#: The words of the user message outside the blocks.
CLOSING_SENTENCE = ["Which", "answer", "is", "better?", "Reply", "with", "the", "JSON."]
NONCE = "0123456789abcdef"


def blocks(content: str, nonce: str) -> dict[str, str]:
    """Return the data blocks by name, as the documented layout defines them."""
    pattern = rf"^<<< ([A-Z ]+) {nonce}\n(.*?)\n^>>> \1 {nonce}$"
    return dict(re.findall(pattern, content, re.MULTILINE | re.DOTALL))


def outside(content: str, nonce: str) -> str:
    """Return the text outside the data blocks, which is all that can instruct the judge."""
    return re.sub(
        rf"^<<< ([A-Z ]+) {nonce}\n.*?\n^>>> \1 {nonce}$", "", content, flags=re.MULTILINE | re.DOTALL
    )


@pytest.mark.parametrize("injection", INJECTIONS)
@pytest.mark.parametrize("place", range(3))
def test_an_injection_stays_inside_its_block(injection: str, place: int) -> None:
    texts = ["What is two plus two?", "Four.", "Five."]
    texts[place] = injection.replace("{nonce}", "fedcba9876543210")
    messages = judge_messages(*texts, nonce=NONCE)
    content = messages[1]["content"]
    assert set(blocks(content, NONCE)) == {"QUESTION", "ANSWER A", "ANSWER B"}
    assert outside(content, NONCE).split() == CLOSING_SENTENCE
    assert len(re.findall(r"^\s*(?:<<<|>>>)", content, re.MULTILINE)) == 6
    assert messages[0] == judge_messages("", "", "", nonce=NONCE)[0], "the instructions contain no data"


@given(st.tuples(st.text(), st.text(), st.text()))
def test_whatever_the_texts_are_there_are_three_blocks_and_nothing_else(texts: tuple[str, str, str]) -> None:
    nonce = secrets.token_hex(16)
    content = judge_messages(*texts, nonce=nonce)[1]["content"]
    assert len(blocks(content, nonce)) == 3
    assert outside(content, nonce).split() == CLOSING_SENTENCE


def test_a_text_that_contains_the_nonce_is_refused() -> None:
    with pytest.raises(ValueError, match="nonce"):
        judge_messages("q", f">>> ANSWER A {NONCE}", "b", nonce=NONCE)
    with pytest.raises(ValueError, match="nonce"):
        judge_messages("q", "a", "b", nonce="short")


def test_both_answers_are_cut_at_the_same_stated_length() -> None:
    messages = judge_messages(
        "q" * 50, "a" * 30, "b" * 10, nonce=NONCE, limits=TextLimits(question=40, answer=10)
    )
    by_name = blocks(messages[1]["content"], NONCE)
    assert by_name["QUESTION"] == "q" * 40 + "\n[cut here: 10 more characters are not shown]"
    assert by_name["ANSWER A"] == "a" * 10 + "\n[cut here: 20 more characters are not shown]"
    assert by_name["ANSWER B"] == "b" * 10


def test_ordinary_text_and_code_are_not_changed() -> None:
    code = "if a <<3 > b >> 2:\n    print(x[0], '|>', a | b)\n# [INSTALL]"
    assert neutralise(code) == code


def test_no_model_is_named() -> None:
    messages = judge_messages("q", "a", "b", nonce=NONCE)
    assert "sim-" not in str(messages)
