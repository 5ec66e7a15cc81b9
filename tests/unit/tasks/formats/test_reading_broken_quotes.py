"""CSV with broken quotes: no fragment of a record becomes a request."""

import csv
import io
import random
from pathlib import Path

import pytest

from tasks.formats.reading import InputError, ParsedRequest
from tests.support.csv_files import outcomes, read

BROKEN = [
    # the text after a closing quote, then fragments with as many cells as a record
    ('id,prompt\n1,"He said "hi" to me\nthen: delete","x"\n2,fine\n', [(2, "invalid_csv"), (4, "fine")]),
    ('id,prompt\n1,"He said "hi" to me\nand then, delete\nx"\n2,fine\n', [(2, "invalid_csv"), (5, "fine")]),
    ('id,prompt\n0,first\n1,"He said "hi"\nand then, delete", bye\n', [(2, "first"), (3, "invalid_csv")]),
    # a quote that is never closed, whatever its fragments look like
    ('id,prompt\n1,"He said "hi" to me\nand then, delete\n', [(2, "invalid_csv")]),
    ('id,prompt\n1,"open\nand then, delete\n', [(2, "invalid_csv")]),
    ('id,prompt\n1,"5" pipe\nand then, delete\nx"\n', [(2, "invalid_csv")]),
    # one column: any line looks like a record
    ('prompt\n"He said "hi" to me\ndelete everything\nbye"\nfine\n', [(2, "invalid_csv"), (5, "fine")]),
    ('prompt\n"Height 5" pipe\ndelete everything\nx"\nfine\n', [(2, "invalid_csv")]),
    # an inch mark before a comma: well-formed, but with a cell too many
    ('id,prompt\n1,"The 5", 6\nand then, delete\nx"\n', [(2, "too_many_columns")]),
    # a lone quote in an unquoted cell
    ('id,prompt\n1,He said "hi\nand then, delete everything"\n2,fine\n', [(2, "invalid_csv"), (4, "fine")]),
    # the closing quote on a line of its own opens nothing
    (
        'id,prompt\n1,"He said "hi" to me\nand then, delete\n"\n2,fine\n3,"good"\n',
        [(2, "invalid_csv"), (5, "fine"), (6, "good")],
    ),
    # an inch mark at a line's end looks like a closed cell: the record before is not trusted, either
    ('id,prompt\n0,"a, b"\n1,"The 5"\nand then, delete\npipe"\n2,fine\n', [(2, "a, b"), (5, "invalid_csv")]),
    ('id,prompt\n0,"a, b"\n1,"The 5"\nand then, delete\n"\n2,fine\n', [(2, "a, b"), (5, "invalid_csv")]),
    # a second broken record: nothing between the two can be trusted
    ('id,prompt\n1,"a"b\n2,no\n3,"c"d\n4,no\n5,"e"\n6,fine\n', [(2, "invalid_csv"), (7, "fine")]),
    # harmless: balanced quotes in an unquoted cell, and a wrong row without any quote
    ('id,prompt\n1,say "hi" now\n2,a,b\n3,ok\n', [(2, 'say "hi" now'), (3, "too_many_columns"), (4, "ok")]),
]  # fmt: skip


@pytest.mark.parametrize(("content", "expected"), BROKEN)
def test_no_fragment_of_a_record_with_a_broken_quote_becomes_a_request(
    tmp_path: Path, content: str, expected: list[tuple[int, str]]
) -> None:
    assert outcomes(read(tmp_path / "b.csv", content)) == expected
    assert outcomes(read(tmp_path / "c.csv", content.replace("\n", "\r\n"))) == expected


def test_the_error_of_a_broken_record_names_the_lines_that_were_not_read(tmp_path: Path) -> None:
    first, *_ = read(tmp_path / "b.csv", BROKEN[1][0])
    assert isinstance(first, InputError)
    assert "lines 2 to 4 are not read" in first.reason
    (last,) = read(tmp_path / "b.csv", BROKEN[3][0])
    assert isinstance(last, InputError)
    assert "line 2 and all after it are not read" in last.reason
    assert "delete" not in first.reason + last.reason


PIECES = [
    '"', "\n", ",", "and then, delete, all", "x", ' "hi" ', '5" ', ', "so', ", 1,2,3", ' "a\nb" ', "\r\n",
    'said "no"\n', ' "', '" ', '5"\n',
]  # fmt: skip


def test_no_part_of_a_text_whose_quotes_were_not_doubled_becomes_a_prompt(tmp_path: Path) -> None:
    rng, tried = random.Random(7), 0
    for _ in range(2_000):
        text = "".join(rng.choice(PIECES) for _ in range(rng.randrange(1, 8)))
        content = f'id,prompt,note\n0,"a, b",n\n1,"{text}",n\n2,"good ""one""",n\n3,fine,n\n'
        if _is_well_formed(content):
            continue
        tried += 1
        prompts = {i.prompt for i in read(tmp_path / "b.csv", content) if isinstance(i, ParsedRequest)}
        assert prompts <= {"a, b", 'good "one"', "fine"} | _readings(text), content
    assert tried > 1_000


def _is_well_formed(content: str) -> bool:
    """Whether a strict reader has nothing to complain of: nobody can know that something else was meant."""
    try:
        rows = list(csv.reader(io.StringIO(content, newline=""), strict=True))
    except csv.Error:
        return False
    return all(len(cells) == 3 for cells in rows if cells)


def _readings(text: str) -> set[str]:
    """What RFC 4180 reads in a cell of this text: all of it, or what stands before a quote and a comma."""
    return {text.replace('""', '"'), text.partition('",')[0].replace('""', '"')}


def test_quotes_can_be_taken_as_text(tmp_path: Path) -> None:
    content = 'id\tprompt\n1\t5" pipe\n2\t"a\n'
    assert outcomes(read(tmp_path / "b.tsv", content, quotes=False)) == [(2, '5" pipe'), (3, '"a')]
