"""CSV: delimiters, encodings and columns."""

import json
from pathlib import Path

import pytest

from tasks.formats.errors import FormatError
from tasks.formats.reading import InputError, ParsedRequest
from tests.support.csv_files import outcomes, read


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
