"""JSON lines: columns, templates and parameters that options name, and what is said of a line."""

from pathlib import Path

import pytest

from tasks.formats.errors import OptionsError
from tasks.formats.inputs.options import input_options
from tasks.formats.reading import InputError, ParsedRequest, read_requests
from tests.support.json_lines import body, taken, user


def test_columns_and_templates_work_on_json_keys() -> None:
    line = {"nr": 5, "text": "Haus", "lang": "de", "user": {"name": "x"}, "url": "https://x", "seed": "wheat"}
    assert body(line, prompt_column="text", param_columns=())["messages"] == user("Haus")
    item = taken(line, template="{lang}: {text}", id_column="nr", param_columns=())
    assert isinstance(item, ParsedRequest)
    assert (item.custom_id, item.prompt) == ("5", "de: Haus")
    error = taken(line, template="{nothing}", id_column="nr")
    assert isinstance(error, InputError)
    assert (error.code, error.custom_id) == ("missing_column", "5")
    assert "nr, text, lang" in error.reason
    assert isinstance(taken(line, prompt_column="nothing"), InputError)


def test_a_key_that_is_called_like_a_parameter_is_checked_with_the_hint_to_the_option() -> None:
    error = taken({"id": "a", "prompt": "q", "seed": "wheat"})
    assert isinstance(error, InputError)
    assert "--param-columns" in error.reason
    assert body({"prompt": "q", "seed": "wheat"}, param_columns=()) == {"messages": user("q")}


def test_nan_refuses_a_line_only_where_it_would_be_sent(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    path.write_text(
        '{"id":"a","prompt":"q","score":NaN}\n{"id":"b","prompt":"q","temperature":NaN}\n{"id":"c","prompt":NaN}\n'
    )
    first, second, third = read_requests(path, models=[])
    assert isinstance(first, ParsedRequest)
    assert isinstance(second, InputError)
    assert isinstance(third, InputError)
    assert [item.custom_id for item in (first, second, third)] == ["a", "b", "c"]


def test_a_conversation_that_ends_with_an_answer_is_sent_and_said_so() -> None:
    notices: list[str] = []
    messages = [*user("q"), {"role": "assistant", "content": "a"}]
    item = taken({"messages": messages}, notices)
    assert isinstance(item, ParsedRequest)
    assert item.messages == 2
    assert "--shape fine-tuning" in notices[0]


def test_a_system_text_stands_before_messages_and_a_prompt_may_be_a_conversation() -> None:
    system = [{"role": "system", "content": "s"}]
    assert body({"messages": user("q"), "system": "s"})["messages"] == [*system, *user("q")]
    assert body({"messages": [*system, *user("q")], "system": "t"})["messages"] == [*system, *user("q")]
    assert body({"prompt": user("q")})["messages"] == user("q")


WRONG = [
    {"template": "no placeholder"}, {"template": "{}"}, {"template": "{a.b!r}"}, {"template": "{a"},
    {"template": "{a}", "prompt_column": "a"}, {"shape": "alpaca", "prompt_column": "a"}, {"shape": "nope"},
    {"encoding": "nope"}, {"encoding": "rot13"}, {"delimiter": ",,"}, {"delimiter": '"'},
    {"shape": "alpaca", "system_column": "s"},
]  # fmt: skip


@pytest.mark.parametrize("options", WRONG)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(OptionsError):
        input_options(**options)  # type: ignore[arg-type]


def test_param_columns_name_parameters_only() -> None:
    with pytest.raises(OptionsError, match="'colour' is not a parameter"):
        taken({"prompt": "q"}, param_columns=("colour",))
