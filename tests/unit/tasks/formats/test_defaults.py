"""What prompts get that do not set it: a system message, a temperature, a limit on the answer."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tasks.endpoints.registry import ENDPOINTS
from tasks.formats.errors import OptionsError
from tasks.formats.inputs.defaults import Defaults
from tasks.formats.inputs.options import input_options
from tasks.formats.reading import requests_from
from tasks.formats.requests import ParsedRequest

USER = {"role": "user", "content": "a"}


def bodies(*items: object, endpoint: str | None = None, **defaults: Any) -> list[dict[str, Any]]:
    options = input_options(endpoint=endpoint, defaults=Defaults(**defaults))
    read = list(requests_from(items, models=["small"], options=options))
    assert all(isinstance(one, ParsedRequest) for one in read), read
    return [json.loads(one.body) for one in read if isinstance(one, ParsedRequest)]


def test_a_prompt_gets_what_it_does_not_set() -> None:
    given = bodies("a", system="Be brief.", temperature=0, max_tokens=32)
    messages = [{"role": "system", "content": "Be brief."}, USER]
    assert given == [{"messages": messages, "temperature": 0, "max_tokens": 32}]


def test_what_a_prompt_sets_itself_stays() -> None:
    own = {"prompt": "a", "system": "Own.", "temperature": 0, "max_completion_tokens": 5}
    developer = {"messages": [{"role": "developer", "content": "Own."}, USER], "max_tokens": 7}
    first, second = bodies(own, developer, system="Be brief.", temperature=1, max_tokens=32)
    assert [one["content"] for one in first["messages"]] == ["Own.", "a"]
    assert first["temperature"] == 0
    assert first["max_completion_tokens"] == 5
    assert "max_tokens" not in first
    assert second == {**developer, "temperature": 1}


def test_each_endpoint_has_its_own_names() -> None:
    (given,) = bodies("a", endpoint="responses", system="Be brief.", max_tokens=32)
    assert given == {"input": "a", "instructions": "Be brief.", "max_output_tokens": 32}


def test_a_line_of_another_endpoint_goes_without_what_that_does_not_know() -> None:
    line = {"url": "/v1/embeddings", "input": "a", "model": "small"}
    assert bodies(line, system="Be brief.", temperature=0, max_tokens=32) == [{"input": "a"}]


def test_numbers_of_numpy_are_numbers() -> None:
    (given,) = bodies("a", temperature=np.float32(0.5), max_tokens=np.int64(8))
    assert (given["temperature"], given["max_tokens"]) == (0.5, 8)


@pytest.mark.parametrize(
    ("defaults", "endpoint", "reason"),
    [
        ({"temperature": "hot"}, None, "temperature is not a number"),
        ({"temperature": float("nan")}, None, "temperature is not a number"),
        ({"max_tokens": 0}, None, "max_tokens is not a positive whole number"),
        ({"max_tokens": 1.5}, None, "max_tokens is not a positive whole number"),
        ({"system": " "}, None, "system is not a text"),
        ({"system": "s"}, "/v1/embeddings", "/v1/embeddings takes no system message"),
        ({"temperature": 0}, "/v1/embeddings", "/v1/embeddings takes no temperature"),
        ({"max_tokens": 9}, "/v1/moderations", "/v1/moderations takes no max_tokens"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    defaults: dict[str, Any], endpoint: str | None, reason: str
) -> None:
    with pytest.raises(OptionsError, match=reason):
        input_options(endpoint=endpoint, defaults=Defaults(**defaults))


def test_what_a_line_sets_to_nothing_it_does_not_set() -> None:
    line = {"messages": [], "temperature": None, "max_tokens": None}
    given = Defaults(temperature=0.5, max_tokens=9).over(line, ENDPOINTS["/v1/chat/completions"])
    assert (given["temperature"], given["max_tokens"]) == (0.5, 9)


def test_a_developer_message_among_the_input_of_responses_is_a_system_message() -> None:
    line = {"input": [{"role": "developer", "content": "a"}, {"role": "user", "content": "b"}]}
    assert Defaults(system="c").over(line, ENDPOINTS["/v1/responses"]) == line
    plain = {"input": [{"role": "user", "content": "b"}]}
    assert Defaults(system="c").over(plain, ENDPOINTS["/v1/responses"])["instructions"] == "c"
