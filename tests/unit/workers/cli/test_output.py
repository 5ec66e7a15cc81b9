"""Messages on the terminal."""

import pytest

from workers.cli.output import info


@pytest.mark.parametrize(
    "text", ["a\x1b]0;title\x07b", "a\x1b[2Jb", "a\x9b31mb", "a\x00\x07b", "a\u202eb", "\u2066a\u2069b"]
)
def test_what_people_are_told_does_nothing_to_their_terminal(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    info(f"{text}\nnext\tline")
    assert capsys.readouterr().err == "ab\nnext\tline\n"


def test_names_that_are_no_unicode_are_told_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    info("file-\udcff.jsonl")
    assert capsys.readouterr().err == "file-?.jsonl\n"
