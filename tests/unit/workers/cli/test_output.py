"""Messages on the terminal."""

import pytest
from rich.table import Table

from workers.cli.output import info, show


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


def test_a_table_in_a_pipe_is_as_wide_as_it_is_and_its_lines_end_with_their_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("name", "what"):
        table.add_column(name, no_wrap=name == "name")
    table.add_row("a" * 300, "many words " * 40)
    table.add_row("short", "")
    show(table)
    assert capsys.readouterr().out.split("\n") == [
        f"{'name':<302}what",
        f"{'a' * 300}  {'many words ' * 40}".rstrip(),
        "short",
        "",
    ]
