"""Known shapes, JSON arrays, templates and column options for JSON lines."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.formats.errors import FormatError, LineRejected, OptionsError
from tasks.formats.inputs.json_rows import json_value
from tasks.formats.inputs.options import input_options
from tasks.formats.reading import (
    InputError,
    InputFormat,
    InputLimits,
    ParsedRequest,
    read_requests,
    requests_from,
)


def taken(line: object, notices: list[str] | None = None, **options: Any) -> ParsedRequest | InputError:
    said = [] if notices is None else notices
    (item,) = requests_from([line], models=["small"], options=input_options(**options), on_notice=said.append)
    return item


def body(line: object, **options: Any) -> dict[str, Any]:
    item = taken(line, **options)
    assert isinstance(item, ParsedRequest), item
    found: dict[str, Any] = json.loads(item.body)
    return found


def user(*texts: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text} for text in texts]


SHAPES: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = [
    ("alpaca", {"instruction": "Add", "input": "1+1", "output": "2"}, user("Add\n\n1+1")),
    ("alpaca", {"instruction": "Add", "input": "", "system": "Brief"},
     [{"role": "system", "content": "Brief"}, *user("Add")]),
    ("sharegpt",
     {"conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "q"},
                        {"from": "gpt", "value": "a"}]},
     [{"role": "system", "content": "s"}, *user("q")]),
    ("mt-bench", {"question_id": 81, "turns": ["first", "second"]}, user("first")),
    ("fine-tuning", {"messages": [*user("q"), {"role": "assistant", "content": "a", "weight": 1}]},
     user("q")),
    ("anthropic", {"custom_id": "a", "params": {"max_tokens": 5, "system": "s", "messages": user("q")}},
     [{"role": "system", "content": "s"}, *user("q")]),
    ("gemini", {"key": "a", "request": {"contents": [{"role": "user", "parts": [{"text": "q"}]}]}},
     [{"role": "user", "content": [{"type": "text", "text": "q"}]}]),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "line", "messages"), SHAPES)
def test_a_named_shape_is_read_and_an_unnamed_one_refused_with_its_name(
    shape: str, line: dict[str, Any], messages: list[dict[str, Any]]
) -> None:
    assert body(line, shape=shape)["messages"] == messages
    if shape != "fine-tuning":
        error = taken(line)
        assert isinstance(error, InputError)
        assert f"--shape {shape}" in error.reason
        assert next(iter(line)) in error.reason


def test_ids_of_shapes() -> None:
    assert taken(SHAPES[3][1], shape="mt-bench").custom_id == "81"
    assert taken(SHAPES[5][1], shape="anthropic").custom_id == "a"
    assert taken(SHAPES[6][1], shape="gemini").custom_id == "a"
    assert taken({"nr": 7, **SHAPES[0][1]}, shape="alpaca", id_column="nr").custom_id == "7"


def test_a_line_that_has_not_the_shape_named_is_refused_and_keeps_its_id() -> None:
    for shape, _, _ in SHAPES:
        error = taken({"id": "x", "text": "q"}, shape=shape)
        assert isinstance(error, InputError)
        assert (error.custom_id, error.code) == ("x", "invalid_messages")


def test_an_anthropic_request_keeps_its_tools_images_and_stop_sequences() -> None:
    params = {
        "model": "claude-x", "max_tokens": 9, "temperature": 0.5, "stop_sequences": ["END"],
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        "metadata": {"user_id": "u"},
        "messages": [
            {"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}},
                {"type": "text", "text": "what?"},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "x"},
                {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": "12"}]},
                {"type": "text", "text": "and now?"},
            ]},
        ],
    }  # fmt: skip
    notices: list[str] = []
    item = taken({"custom_id": "a", "params": params}, notices, shape="anthropic")
    assert isinstance(item, ParsedRequest)
    assert item.model is None
    assert len(notices) == 1
    assert json.loads(item.body) == {
        "max_tokens": 9, "temperature": 0.5, "stop": ["END"], "user": "u", "parallel_tool_calls": False,
        "tools": [{"type": "function", "function": {
            "name": "f", "description": "d", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
                {"type": "text", "text": "what?"},
            ]},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}]},
            {"role": "tool", "tool_call_id": "c", "content": "12"},
            {"role": "user", "content": [{"type": "text", "text": "and now?"}]},
        ],
    }  # fmt: skip
    configured = taken({"custom_id": "a", "params": {**params, "model": "small"}}, shape="anthropic")
    assert isinstance(configured, ParsedRequest)
    assert configured.model == "small"


UNTRANSLATED = [
    ("anthropic", {"params": {"messages": user("q"), "mcp_servers": []}}),
    (
        "anthropic",
        {"params": {"messages": user("q"), "tools": [{"type": "web_search_20250305", "name": "w"}]}},
    ),
    ("anthropic", {"params": {"messages": [{"role": "user", "content": [{"type": "document"}]}]}}),
    *(("anthropic", {"params": {"messages": user("q"), **more}}) for more in (
        {"thinking": {"type": "adaptive"}},
        {"thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"}},
        {"thinking": {"type": "enabled"}},
        {"thinking": {"type": "enabled", "budget_tokens": -1}},
        {"thinking": "enabled"},
        {"top_k": 5},
        {"service_tier": "auto"},
        {"output_config": {"effort": "low"}},
        {"metadata": "u"},
        {"tool_choice": "any"},
        {"tool_choice": {"type": "auto", "mode": "x"}},
        {"tools": [{"name": "f", "input_schema": {}, "defer_loading": True}]},
        {"system": [{"type": "text", "text": "s", "citations": [{}]}]},
        {"messages": [{"role": "user", "content": "q", "name": "ann"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "q", "citations": [{}]}]}]},
        {"messages": [{"role": "assistant", "content": [
            {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
            {"type": "tool_use", "id": "c", "name": "f", "input": {}},
        ]}]},
    )),
    *(("gemini", {"request": {"contents": [{"parts": [part]}]}}) for part in (
        {"text": "q", "partMetadata": {}},
        {"inlineData": {"mimeType": "image/png", "data": "AA"}, "mediaResolution": {"level": "x"}},
        {"inlineData": {"mimeType": "image/png", "data": "AA", "x": 1}},
    )),
    ("gemini", {"request": {"contents": [{"parts": [{"text": "q"}], "name": "ann"}]}}),
    ("gemini", {"request": {"contents": [{"parts": [{"text": "q"}]}], "generationConfig": {"topK": 5}}}),
    ("gemini", {"request": {"contents": [{"parts": [{"text": "q"}]}], "tools": [{}]}}),
    ("gemini", {"request": {"contents": [{"parts": [{"fileData": {"fileUri": "gs://x"}}]}]}}),
    (
        "gemini",
        {"request": {"contents": [{"parts": [{"text": "q"}]}], "generationConfig": {"thinkingConfig": {}}}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "line"), UNTRANSLATED)
def test_what_has_no_counterpart_is_refused_rather_than_left_out(shape: str, line: dict[str, Any]) -> None:
    assert isinstance(taken({"id": "a", **line}, shape=shape), InputError)


@pytest.mark.parametrize(
    ("budget", "effort"), [(1024, "low"), (2047, "low"), (2048, "medium"), (4096, "high"), (30_000, "high")]
)
def test_thinking_becomes_the_effort_with_no_larger_a_budget(budget: int, effort: str) -> None:
    params = {"messages": user("q"), "thinking": {"type": "enabled", "budget_tokens": budget}}
    notices: list[str] = []
    item = taken({"custom_id": "a", "params": params}, notices, shape="anthropic")
    assert isinstance(item, ParsedRequest)
    assert json.loads(item.body) == {"messages": user("q"), "reasoning_effort": effort}
    assert len(notices) == 1


def test_thinking_stays_as_it_is_where_a_model_takes_it() -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    line = {"custom_id": "a", "params": {"messages": user("q"), "thinking": thinking}}
    (item,) = requests_from(
        [line], models=["small"], options=input_options(shape="anthropic"), extra_params=["thinking"]
    )
    assert isinstance(item, ParsedRequest)
    assert json.loads(item.body) == {"messages": user("q"), "thinking": thinking}


def test_what_says_nothing_is_no_reason_to_refuse_a_line() -> None:
    params = {"messages": [{"role": "user", "content": [
        {"type": "text", "text": "q", "citations": None, "cache_control": {"type": "ephemeral"}}]}],
        "thinking": {"type": "disabled"}, "top_k": None}  # fmt: skip
    assert body({"custom_id": "a", "params": params}, shape="anthropic") == {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]}]
    }


def test_earlier_thoughts_of_gemini_and_failures_of_tools_are_left_out() -> None:
    thought = {
        "parts": [{"text": "hm", "thought": True}, {"text": "a", "thoughtSignature": "x"}],
        "role": "model",
    }
    request = {"contents": [{"parts": [{"text": "q"}]}, thought, {"parts": [{"text": "r"}]}]}
    found = body({"key": "a", "request": request}, shape="gemini")["messages"]
    assert found[1] == {"role": "assistant", "content": [{"type": "text", "text": "a"}]}
    failed = {"type": "tool_result", "tool_use_id": "c", "content": "no file", "is_error": True}
    notices: list[str] = []
    taken({"custom_id": "a", "params": {"messages": [{"role": "user", "content": [failed]}]}}, notices,
          shape="anthropic")  # fmt: skip
    assert len(notices) == 1


def test_a_gemini_request_keeps_its_configuration() -> None:
    request = {
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [{"parts": [{"text": "q"}, {"inlineData": {"mimeType": "image/png", "data": "AA"}}]},
                     {"role": "model", "parts": [{"text": "a"}]}, {"role": "user", "parts": [{"text": "r"}]}],
        "generationConfig": {"maxOutputTokens": 5, "topP": 0.5, "stopSequences": ["x"], "candidateCount": 1,
                             "responseMimeType": "application/json"},
        "safetySettings": [{"category": "x"}],
    }  # fmt: skip
    found = body({"key": "a", "request": request}, shape="gemini")
    assert [message["role"] for message in found["messages"]] == ["system", "user", "assistant", "user"]
    del found["messages"]
    assert found == {
        "max_tokens": 5, "top_p": 0.5, "stop": ["x"], "n": 1, "response_format": {"type": "json_object"},
    }  # fmt: skip


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


def array(path: Path, text: str, **limits: int) -> list[tuple[int, str]]:
    path.write_text(text)
    items = read_requests(path, models=[], limits=InputLimits(**limits))
    return [(item.line, item.code if isinstance(item, InputError) else item.prompt) for item in items]


def test_a_json_array_is_read_element_by_element(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    assert array(path, '\ufeff [\n{"prompt": "a"},\n {"prompt": "b"} , 7 ]\n') == [
        (1, "a"), (2, "b"), (3, "not_an_object"),
    ]  # fmt: skip
    many = json.dumps([{"prompt": f"p{n}" + "x" * (n % 700)} for n in range(2_000)])
    assert len(array(path, many)) == 2_000
    long = json.dumps([{"prompt": "x" * 200_000}, {"prompt": "b"}])
    assert array(path, long, max_line_bytes=100_000) == [(1, "line_too_long"), (2, "b")]
    assert array(path, '{"prompt": "a"}\n{"prompt": "b"}\n') == [(1, "a"), (2, "b")]


@pytest.mark.parametrize(
    "text",
    [
        '[{"prompt": "a"}, {"prom',
        '[{"prompt": "a"} {"prompt": "b"}]',
        '[{"prompt": "a"},]',
        '[{"prompt": "a"}',
    ],
)
def test_a_broken_array_names_the_element_and_is_never_read_further(tmp_path: Path, text: str) -> None:
    path = tmp_path / "b.json"
    path.write_text(text)
    items = read_requests(path, models=[])
    assert next(items).line == 1
    with pytest.raises(FormatError, match=r"element [12]: "):
        next(items)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None)
@given(VALUES, st.booleans())
def test_a_json_value_is_what_the_standard_library_reads(value: object, escaped: bool) -> None:
    text = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    assert json_value(text) == json.loads(json.dumps(value))


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_what_the_standard_library_refuses_is_an_error(text: bytes) -> None:
    try:
        expected: object = json.loads(text.decode())
    except ValueError:
        assert isinstance(json_value(text), LineRejected)
    else:
        assert repr(json_value(text)) == repr(expected)


def test_an_array_in_a_jsonl_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    path.write_text('[\n{"prompt": "a"},\n{"prompt": "b"}\n]\n')
    items = list(read_requests(path, models=[]))
    errors = [item for item in items if isinstance(item, InputError)]
    assert [error.line for error in errors] == [1, 2, 4]
    assert all("--format json" in error.reason for error in errors)
    assert len(list(read_requests(path, models=[], format=InputFormat.JSON))) == 2


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


def test_the_reason_of_a_control_character_ends_with_what_it_is() -> None:
    refused = json_value(b'{"prompt": "a\tb"}')
    assert isinstance(refused, LineRejected)
    assert refused.reason == "invalid JSON at column 14: Invalid control character"
