"""CSV: broken quotes, delimiters, encodings and columns."""

import csv
import io
import json
import random
from pathlib import Path

import pytest

from tasks.formats.errors import FormatError
from tasks.formats.inputs.options import InputOptions, input_options
from tasks.formats.reading import InputError, ParsedRequest, read_requests

MODELS = ("small", "large")


def read(
    path: Path, content: str | bytes, notices: list[str] | None = None, **options: object
) -> list[ParsedRequest | InputError]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    chosen: InputOptions = input_options(**options)  # type: ignore[arg-type]
    said = [] if notices is None else notices
    return list(read_requests(path, models=MODELS, options=chosen, on_notice=said.append))


def outcomes(items: list[ParsedRequest | InputError]) -> list[tuple[int, str]]:
    return [(item.line, item.code if isinstance(item, InputError) else item.prompt) for item in items]


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


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(tmp_path: Path, delimiter: str) -> None:
    other = ";" if delimiter == "," else ","
    content = f"id{delimiter}prompt\r\n1{delimiter}Hello{other} you\r\n"
    assert outcomes(read(tmp_path / "b.csv", content)) == [(2, f"Hello{other} you")]


def test_excels_first_line_names_the_delimiter_and_is_no_record(tmp_path: Path) -> None:
    assert outcomes(read(tmp_path / "b.csv", "sep=;\nid;prompt\n1;a\n")) == [(3, "a")]
    assert outcomes(read(tmp_path / "b.csv", "sep=|\nprompt\na;b,c\n")) == [(3, "a;b,c")]


def test_an_option_names_the_delimiter(tmp_path: Path) -> None:
    assert outcomes(read(tmp_path / "b.csv", "id~prompt\n1~a\n", delimiter="~")) == [(2, "a")]
    assert outcomes(read(tmp_path / "b.csv", "id\tprompt\n1\ta\n", delimiter="tab")) == [(2, "a")]


TEXT = "id;prompt\r\n1;Größe?\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_with_a_byte_order_mark_and_utf8_are_read(tmp_path: Path, encoding: str) -> None:
    assert outcomes(read(tmp_path / "b.csv", TEXT.encode(encoding))) == [(2, "Größe?")]


def test_big_endian_utf16_is_known_by_its_mark(tmp_path: Path) -> None:
    assert outcomes(read(tmp_path / "b.csv", b"\xfe\xff" + TEXT.encode("utf-16-be"))) == [(2, "Größe?")]


@pytest.mark.parametrize(
    ("encoding", "option"),
    [("cp1252", "--encoding cp1252"), ("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be")],
)
def test_another_encoding_is_refused_once_with_its_likely_name(
    tmp_path: Path, encoding: str, option: str
) -> None:
    with pytest.raises(FormatError, match=option):
        read(tmp_path / "b.csv", TEXT.encode(encoding))
    assert outcomes(read(tmp_path / "b.csv", TEXT.encode(encoding), encoding=encoding)) == [(2, "Größe?")]


def test_a_file_that_is_not_of_the_encoding_named_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="not cp1252 throughout"):
        read(tmp_path / "b.csv", b"prompt\nfine\n\x81\n", encoding="cp1252")


def test_ids_and_parameters_come_from_columns_and_the_rest_is_named_once(tmp_path: Path) -> None:
    notices: list[str] = []
    content = (
        "custom_id,prompt,Temperature,seed,stop,logprobs,response_format,user,score\n"
        'A-1,Hello,0,7,"[""a"",""b""]",TRUE,"{""type"":""json_object""}",12,0.5\n'
        "A-2,Hi,,,END,,,,\n"
    )
    first, second = read(tmp_path / "b.csv", content, notices)
    assert isinstance(first, ParsedRequest)
    assert isinstance(second, ParsedRequest)
    assert (first.custom_id, second.custom_id) == ("A-1", "A-2")
    assert json.loads(first.body) == {
        "messages": [{"role": "user", "content": "Hello"}], "logprobs": True, "seed": 7, "stop": ["a", "b"],
        "response_format": {"type": "json_object"}, "temperature": 0, "user": "12",
    }  # fmt: skip
    assert second.body == '{"messages":[{"content":"Hi","role":"user"}],"stop":"END"}'
    assert notices[0] == "columns that are not read: score"
    assert "seed" in notices[1]


def test_a_data_column_that_is_called_like_a_parameter_is_not_sent_unchecked(tmp_path: Path) -> None:
    content = "id,prompt,seed\na,Hello,wheat\nb,Hi,3\n"
    first, second = read(tmp_path / "b.csv", content)
    assert isinstance(first, InputError)
    assert (first.custom_id, first.code) == ("a", "invalid_parameter")
    assert "--param-columns" in first.reason
    assert isinstance(second, ParsedRequest)
    assert '"seed":3' in second.body
    for item in read(tmp_path / "b.csv", content, param_columns=()):
        assert isinstance(item, ParsedRequest)
        assert "seed" not in item.body


def test_param_columns_name_the_parameters_exactly(tmp_path: Path) -> None:
    content = "prompt,seed,temperature,model\nHello,1,0.5,gpt-of-the-data\n"
    (item,) = read(tmp_path / "b.csv", content, param_columns=("temperature",))
    assert isinstance(item, ParsedRequest)
    assert item.body == '{"messages":[{"content":"Hello","role":"user"}],"temperature":0.5}'
    with pytest.raises(FormatError, match="no column 'top_p'"):
        read(tmp_path / "b.csv", content, param_columns=("top_p",))


def test_columns_of_other_names_are_named_by_options(tmp_path: Path) -> None:
    content = "Nr,Question,Rules,user\n7,Why?,Be brief,ann\n"
    options = {"prompt_column": "question", "id_column": "Nr", "system_column": "Rules", "param_columns": ()}
    (item,) = read(tmp_path / "b.csv", content, **options)
    assert isinstance(item, ParsedRequest)
    assert (item.custom_id, item.prompt, item.messages) == ("7", "Why?", 2)


def test_a_template_makes_the_prompt_from_columns(tmp_path: Path) -> None:
    content = "id,text,user\n1,Haus,de\n2,,de\n"
    first, second = read(tmp_path / "b.csv", content, template="{{{user}}} Translate: {text}")
    assert isinstance(first, ParsedRequest)
    assert first.prompt == "{de} Translate: Haus"
    assert '"user":"de"' not in first.body
    assert isinstance(second, InputError)
    assert (second.code, second.custom_id) == ("missing_column", "2")
    with pytest.raises(FormatError, match="no column 'txt'; it has id, text, user"):
        read(tmp_path / "b.csv", content, template="{txt}")


def test_an_unknown_header_names_its_columns_and_the_options(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="it has instruction, input; it looks like Alpaca") as caught:
        read(tmp_path / "b.csv", "instruction,input\nAdd,1+1\n")
    assert "--shape alpaca" in str(caught.value)
    with pytest.raises(FormatError, match="it has question, answer; --prompt-column") as caught:
        read(tmp_path / "b.csv", "question,answer\nsecret,x\n")
    with pytest.raises(FormatError) as caught:
        read(
            tmp_path / "b.csv",
            "This is a prompt without any header, in a file of prompts, it is secret?\nx\n",
        )
    assert "secret" not in str(caught.value)


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="two columns 'prompt'"):
        read(tmp_path / "b.csv", "prompt,Prompt\na,b\n")


def test_messages_are_json_in_a_cell(tmp_path: Path) -> None:
    cell = '"[{""role"": ""user"", ""content"": ""hi""}]"'
    first, second = read(tmp_path / "b.csv", f"messages,id\n{cell},1\n[oops,2\n")
    assert isinstance(first, ParsedRequest)
    assert first.prompt == "hi"
    assert isinstance(second, InputError)
    assert (second.code, second.custom_id) == ("invalid_messages", "2")


def test_words_for_a_missing_value_set_no_parameter_unless_it_may_be_any_text(tmp_path: Path) -> None:
    content = "prompt,temperature,seed,stop\na,NaN,null,NaN\nb,N/A,<NA>,\n"
    first, second = read(tmp_path / "b.csv", content)
    assert isinstance(first, ParsedRequest)
    assert isinstance(second, ParsedRequest)
    assert (first.parameters, second.parameters) == ({"stop": "NaN"}, {})


def test_numbers_may_have_a_decimal_comma(tmp_path: Path) -> None:
    (item,) = read(tmp_path / "b.csv", "prompt;temperature\na, b;0,75\n")
    assert isinstance(item, ParsedRequest)
    assert item.parameters == {"temperature": 0.75}


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("shift_jis", "日本語のテキストです。翻訳してください"),
        ("gbk", "请把下面的句子翻译成英文，今天天气很好我们去公园"),
        ("big5", "請把下面的句子翻譯成英文，今天天氣很好"),
        ("euc_kr", "다음 문장을 영어로 번역해 주세요"),
    ],
)
def test_a_file_of_an_east_asian_encoding_is_refused_once(tmp_path: Path, encoding: str, text: str) -> None:
    with pytest.raises(FormatError, match="is not UTF-8"):
        read(tmp_path / "b.csv", f"id,prompt\n1,{text}\n".encode(encoding))
