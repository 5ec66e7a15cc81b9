"""The table of parameters: what each may be."""

import math

import pytest

from tasks.parameters import CHAT_PARAMETERS
from tasks.parameters.table import NOT_SENT


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("temperature", [0, 0.5, 2], ["0.5", True, math.nan, math.inf, [1]]),
        ("seed", [0, 42, -1], [1.5, "42", True]),
        ("stop", ["END", ["a", "b"], []], [1, [1], {"a": 1}]),
        ("user", ["u"], [7, ["u"]]),
        ("max_tokens", [1, 2**31 - 1], [0, -1, 1.0, True, 2**31]),
        ("logprobs", [True, False], [1, "true"]),
        ("tools", [[], [{"type": "function"}]], [{}, ["f"], "f"]),
        ("tool_choice", ["auto", {"type": "function"}], [True, ["auto"]]),
        ("response_format", [{"type": "json_object"}], ["json_object", [{}]]),
        ("modalities", [["text", "audio"]], ["text", [1]]),
    ],
)
def test_each_parameter_is_of_its_kind(name: str, good: list[object], bad: list[object]) -> None:
    accepts = CHAT_PARAMETERS[name].kind.accepts
    assert [value for value in good if not accepts(value)] == []
    assert [value for value in bad if accepts(value)] == []


def test_all_of_openais_parameters_are_sent_but_for_streaming() -> None:
    assert {"stream"} == NOT_SENT
    assert CHAT_PARAMETERS.keys() >= {
        *("service_tier", "store", "metadata", "prompt_cache_key", "safety_identifier", "prediction"),
        *("web_search_options", "modalities", "audio", "prompt_cache_retention"),
    }
