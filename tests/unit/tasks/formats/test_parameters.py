"""The parameters of a line: what is accepted, flattened and refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.formats.reading import InputError, ParsedRequest, requests_from
from tests.support.comparisons import assert_fields

MESSAGES = [{"role": "user", "content": "hi"}]
EXTRA = frozenset({"top_k", "chat_template_kwargs"})


def batch_line(**parameters: Any) -> dict[str, Any]:
    body = {"messages": MESSAGES, **parameters}
    return {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}


def parsed(line: dict[str, Any], extra: frozenset[str] = EXTRA) -> ParsedRequest | InputError:
    return next(requests_from([line], models=["m"], extra_params=extra))


def parameters_of(line: dict[str, Any], extra: frozenset[str] = EXTRA) -> dict[str, Any]:
    request = parsed(line, extra)
    assert isinstance(request, ParsedRequest), request
    return {name: value for name, value in json.loads(request.body).items() if name != "messages"}


def refusal_of(line: dict[str, Any], extra: frozenset[str] = EXTRA) -> str:
    error = parsed(line, extra)
    assert isinstance(error, InputError), error
    assert error.code == "invalid_parameter"
    return error.reason


def test_an_extra_parameter_that_a_model_takes_is_kept_with_any_value() -> None:
    given = {"top_k": 5, "chat_template_kwargs": {"enable_thinking": False}, "temperature": 0}
    assert parameters_of(batch_line(**given)) == given
    assert parameters_of({"prompt": "hi", **given}) == given


def test_extra_body_is_flattened_so_that_equal_requests_are_equal() -> None:
    flat = parsed(batch_line(top_k=5, seed=1))
    assert parsed(batch_line(extra_body={"top_k": 5}, seed=1)) == flat
    assert parsed(batch_line(extra_body={"seed": 1, "top_k": 5})) == flat
    assert parameters_of(batch_line(extra_body=None)) == {}
    assert parameters_of({"prompt": "hi", "extra_body": {"top_k": 5}}) == {"top_k": 5}


@pytest.mark.parametrize(
    "name", ["messages", "model", "stream", "n", "stream_options", "extra_body", "prompt"]
)
def test_extra_body_replaces_nothing_of_the_request(name: str) -> None:
    assert refusal_of(batch_line(extra_body={name: "x"})) == f"extra_body may not set '{name}'"


def test_a_parameter_is_set_once() -> None:
    assert "set twice" in refusal_of(batch_line(top_k=5, extra_body={"top_k": 6}))


@pytest.mark.parametrize(
    "name",
    ["api_base", "api_key", "mock_response", "extra_headers", "num_retries", "aws_session_token", "no-log"],
)
@pytest.mark.parametrize("inside", [False, True])
def test_what_is_the_operators_is_refused_wherever_it_stands(name: str, inside: bool) -> None:
    line = batch_line(extra_body={name: "x"}) if inside else batch_line(**{name: "x"})
    assert refusal_of(line) == f"the parameter '{name}' is not supported in a batch"


def test_an_extra_parameter_that_no_model_takes_is_refused_with_what_would_change_that() -> None:
    for line in (
        batch_line(min_p=0.1),
        batch_line(extra_body={"min_p": 0.1}),
        {"prompt": "hi", "min_p": 0.1},
    ):
        assert (
            refusal_of(line)
            == "the parameter 'min_p' is taken by no model: its extra_params in [[models]] must name it"
        )


def test_other_keys_of_a_plain_line_belong_to_its_data_set() -> None:
    line = {"prompt": "hi", "category": "x", "reasoning": "because", "provider": "p", "api_base": "x"}
    assert parameters_of(line) == {}


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("temperature", "hot", "a number"),
        ("seed", 1.5, "a whole number"),
        ("stop", 3, "a text or a list of texts"),
        ("user", 7, "a text"),
        ("tools", "f", "a list of objects"),
        ("stream", "no", "true or false"),
        ("max_tokens", 0, "a positive whole number"),
    ],
)
def test_a_value_of_another_kind_is_refused(name: str, value: object, kind: str) -> None:
    assert refusal_of(batch_line(**{name: value})) == f"{name} is not {kind}"


def test_nulls_are_defaults() -> None:
    request = parsed(batch_line(temperature=None, max_tokens=None, n=None, stop=None, stream=None))
    assert isinstance(request, ParsedRequest)
    assert_fields(request, max_tokens=None)
