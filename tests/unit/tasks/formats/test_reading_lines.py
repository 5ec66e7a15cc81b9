"""Parsing a line into a request, or into an error with a stable code."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.formats.inputs import parse
from tasks.formats.reading import (
    InputError,
    InputLimits,
    ParsedRequest,
    body_hash,
    read_requests,
    requests_from,
)
from tests.support.comparisons import assert_fields
from tests.support.paths import REPOSITORY

MODELS = ("small", "large")
HELLO = {"messages": [{"role": "user", "content": "hello"}]}
SAMPLE = REPOSITORY.parent / "shared/data/prompts_cargo_experiment2_openai.jsonl"


def one(item: object, **limits: int) -> ParsedRequest | InputError:
    return next(requests_from([item], models=MODELS, limits=InputLimits(**limits)))


def batch_line(**changes: Any) -> dict[str, Any]:
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": HELLO, **changes}
    return {key: value for key, value in line.items() if value is not ...}


def user(content: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


def test_a_batch_line_becomes_a_request_without_its_model() -> None:
    body = {"temperature": 0, "model": "auto", "max_tokens": 7, **HELLO}
    assert one(batch_line(body=body)) == ParsedRequest(
        line=1,
        custom_id="a",
        model=None,
        body='{"max_tokens":7,"messages":[{"content":"hello","role":"user"}],"temperature":0}',
        messages=1,
        prompt="hello",
        max_tokens=7,
        parameters={"temperature": 0, "max_tokens": 7},
        integer_id=False,
    )


def test_a_named_model_is_kept_beside_the_body() -> None:
    request = one(batch_line(body={"model": "large", **HELLO}))
    assert isinstance(request, ParsedRequest)
    assert request.model == "large"
    assert "large" not in request.body


def test_a_plain_line_may_hold_a_prompt_a_system_text_and_parameters_and_other_keys_are_ignored() -> None:
    line = {"id": 7, "prompt": "hi", "system": "be brief", "max_completion_tokens": 3, "scores": {"small": 1}}
    request = one(line)
    assert isinstance(request, ParsedRequest)
    assert_fields(request, custom_id="7", prompt="hi", messages=2, max_tokens=3)
    assert json.loads(request.body) == {
        "max_completion_tokens": 3,
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
    }


def test_the_prompt_is_the_user_messages_text_only() -> None:
    parts = [{"type": "text", "text": "two"}, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}]
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "system", "content": "rules"},
        {"role": "user", "content": "one\0"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "42"},
        {"role": "user", "content": parts},
    ]
    request = one({"messages": messages})
    assert isinstance(request, ParsedRequest)
    assert request.prompt == "one \n\ntwo"
    assert json.loads(request.body)["messages"] == messages


def test_key_order_does_not_change_the_body_but_the_order_inside_a_schema_does() -> None:
    bodies = [one({"prompt": "x", "seed": 1, "user": "u"}), one({"user": "u", "seed": 1, "prompt": "x"})]
    assert bodies[0] == bodies[1]
    schemas = [{"a": {"type": "string"}, "b": {}}, {"b": {}, "a": {"type": "string"}}]
    first, second = (one({"prompt": "x", "response_format": {"properties": schema}}) for schema in schemas)
    assert isinstance(first, ParsedRequest)
    assert isinstance(second, ParsedRequest)
    assert body_hash(first.body) != body_hash(second.body)
    assert len(body_hash(first.body)) == 16


BAD = [
    ("not_an_object", [1]),
    ("missing_custom_id", batch_line(custom_id=...)),
    ("invalid_custom_id", batch_line(custom_id=5)),
    ("invalid_custom_id", batch_line(custom_id=" ")),
    ("invalid_custom_id", batch_line(custom_id="x" * 513)),
    ("invalid_custom_id", batch_line(custom_id="a\x1b[2J")),
    ("invalid_custom_id", {"custom_id": True, "prompt": "x"}),
    ("invalid_custom_id", {"id": True, "prompt": "x"}),
    ("unknown_url", batch_line(url="/v1/images/generations")),
    ("invalid_method", batch_line(method="GET")),
    ("unknown_model", batch_line(body={"model": "huge", **HELLO})),
    ("unknown_model", batch_line(body={"model": ["large"], **HELLO})),
    ("missing_messages", batch_line(body=...)),
    ("missing_messages", batch_line(body={})),
    ("missing_messages", {"id": "a"}),
    ("invalid_messages", {"messages": []}),
    ("invalid_messages", {"messages": ["hello"]}),
    ("invalid_messages", {"messages": [{"role": "king", "content": "x"}]}),
    ("invalid_messages", {"messages": [{"role": ["user"], "content": "x"}]}),
    ("invalid_messages", {"messages": [{"role": "assistant", "content": None}]}),
    ("invalid_messages", {"messages": [{"role": "tool", "content": "x"}]}),
    ("invalid_messages", {"prompt": "x", **HELLO}),
    ("invalid_messages", {"prompt": 5}),
    ("invalid_messages", user(5)),
    ("invalid_messages", user([])),
    ("invalid_messages", user([{"type": "video", "text": "x"}])),
    ("invalid_messages", user([{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}])),
    ("empty_prompt", {"prompt": " \n"}),
    ("empty_prompt", {"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": ""}]}),
    ("empty_prompt", {"messages": [{"role": "system", "content": ""}]}),
    ("too_deep", {"prompt": "x", "metadata": {"a": json.loads("[" * 80 + "]" * 80)}}),
    ("invalid_parameter", {"prompt": "x", "stream": True}),
    ("invalid_parameter", {"prompt": "x", "n": 2}),
    ("invalid_parameter", {"prompt": "x", "max_tokens": 0}),
    ("invalid_parameter", {"prompt": "x", "max_tokens": True}),
    ("invalid_parameter", {"prompt": "x", "max_completion_tokens": 1.5}),
    ("invalid_parameter", {"prompt": "x", "temperature": float("inf")}),
    ("invalid_parameter", {"prompt": "x", "temperature": 10**400}),
    ("invalid_parameter", {"prompt": "x", "metadata": {1: object(), "a": 2}}),
    ("invalid_parameter", batch_line(body={"api_base": "http://evil", **HELLO})),
    ("not_utf8", {"prompt": "half an emoji \ud83d"}),
    ("prompt_too_long", {"prompt": "x" * 101}),
]


@pytest.mark.parametrize(("code", "item"), BAD, ids=[f"{i}-{code}" for i, (code, _) in enumerate(BAD)])
def test_a_bad_line_is_reported_with_its_code(code: str, item: object) -> None:
    error = one(item, max_prompt_chars=100)
    assert isinstance(error, InputError), error
    assert error.code == code
    assert error.reason != ""


def test_an_image_to_moderate_may_have_a_field_of_the_name_text() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://x/y.png"}, "text": ["not", "a", "text"]}
    body = {"model": "large", "input": [image, {"type": "text", "text": "so"}]}
    parsed = one(batch_line(url="/v1/moderations", body=body))
    assert isinstance(parsed, ParsedRequest), parsed
    assert parsed.prompt == "so"


def test_a_line_at_which_a_defect_shows_costs_no_other_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def defective(*_: object, **__: object) -> None:
        raise OverflowError("a defect, with a prompt in its text")

    monkeypatch.setattr(parse, "needs_of", defective)
    error = one(batch_line())
    assert isinstance(error, InputError)
    assert_fields(error, custom_id="a", code="internal_error", reason="cannot be read: OverflowError")


def test_an_error_keeps_the_custom_id_that_the_line_gave() -> None:
    error = one(batch_line(url="/v2"))
    assert isinstance(error, InputError)
    assert_fields(error, custom_id="a", code="unknown_url")


def test_a_reason_never_holds_text_that_could_be_a_prompt() -> None:
    secret = "my secret prompt"
    items = [
        batch_line(body={secret: 1, **HELLO}),
        batch_line(body={"model": secret, **HELLO}),
        batch_line(url=secret, custom_id=secret + "\n"),
        {"messages": [{"role": secret, "content": secret}]},
        user([{"type": secret}]),
        {"prompt": secret, "max_tokens": secret, "n": secret},
    ]
    errors = list(requests_from(items, models=MODELS))
    assert [one for one in errors if not isinstance(one, InputError) or secret in one.reason] == []


def test_text_and_dicts_are_numbered_from_one() -> None:
    requests = list(requests_from(["a", {"prompt": "b"}], models=()))
    assert [(r.line, r.custom_id) for r in requests] == [(1, "line-1"), (2, "line-2")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


# NUL counts as a blank: PostgreSQL's text cannot hold it.
@given(
    st.text(min_size=1).filter(lambda text: text.replace("\0", " ").strip()),
    st.dictionaries(st.text(), JSON, max_size=4),
)
def test_a_body_comes_back_as_it_was_given(prompt: str, metadata: dict[str, Any]) -> None:
    given_body = {**user(prompt), "metadata": metadata}
    request = one(batch_line(body={"model": "small", **given_body}))
    assert isinstance(request, ParsedRequest)
    assert json.loads(request.body) == given_body


def test_a_prompt_of_nul_characters_alone_is_empty() -> None:
    error = one(batch_line(body={"model": "small", **user("\0")}))
    assert isinstance(error, InputError)
    assert error.code == "empty_prompt"


@given(JSON)
def test_no_json_value_raises(value: object) -> None:
    items = [value, {"prompt": value}, {"messages": value}, {"messages": [value]}, user(value), user([value])]
    items += [batch_line(**{key: value}) for key in batch_line()] + [{"prompt": "x", "max_tokens": value}]
    assert len(list(requests_from(items, models=MODELS))) == len(items)


@pytest.mark.skipif(not SAMPLE.exists(), reason="the shared sample is not on this machine")
def test_every_line_of_the_shared_sample_is_a_request() -> None:
    requests = list(read_requests(SAMPLE, models=MODELS))
    assert len(requests) == 50
    assert [one for one in requests if not isinstance(one, ParsedRequest) or one.model is not None] == []


def test_a_plain_line_may_call_its_id_custom_id() -> None:
    [parsed] = requests_from([{"custom_id": "mine", "prompt": "hi"}], models=[], limits=InputLimits())
    assert isinstance(parsed, ParsedRequest)
    assert parsed.custom_id == "mine"


def test_whole_numbers_that_pandas_wrote_as_floats_are_sent_as_whole_numbers() -> None:
    request = one({"prompt": "hi", "seed": 1.0, "max_tokens": 256.0, "temperature": 1.0})
    assert isinstance(request, ParsedRequest)
    assert request.max_tokens == 256
    assert '"max_tokens":256,' in request.body
    assert '"seed":1,' in request.body
    assert '"temperature":1.0' in request.body
    refused = one({"prompt": "hi", "seed": 1.5})
    assert isinstance(refused, InputError)
    assert refused.code == "invalid_parameter"


def test_only_what_is_sent_may_not_be_nested_too_deeply() -> None:
    deep = json.loads("[" * 80 + "]" * 80)
    assert isinstance(one({"prompt": "x", "notes": deep}), ParsedRequest)
    assert isinstance(one({"prompt": "{" * 500}), ParsedRequest), "brackets in a text are no levels"
    circular: dict[str, Any] = {}
    circular["a"] = circular
    refused = one({"prompt": "x", "metadata": circular})
    assert isinstance(refused, InputError)
    assert refused.code == "too_deep"
