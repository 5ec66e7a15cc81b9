"""Which requests get the same answer each time."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.endpoints.endpoint import CHAT_PATH
from tasks.formats.determinism import dedupe_of, is_deterministic


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, False),
        ({"temperature": None}, False),
        ({"temperature": 1}, False),
        ({"temperature": 0.01}, False),
        ({"temperature": 0}, True),
        ({"temperature": 0.0}, True),
        ({"seed": 0}, True),
        ({"seed": None}, False),
        ({"temperature": 1, "seed": 7}, True),
        ({"top_p": 0}, False),
    ],
)
def test_a_request_is_deterministic_at_temperature_0_or_with_a_seed(
    parameters: dict[str, Any], expected: bool
) -> None:
    assert is_deterministic(parameters, CHAT_PATH) is expected


def test_what_is_not_sampled_is_deterministic() -> None:
    assert is_deterministic({"input": "a"}, "/v1/embeddings")
    assert is_deterministic({"input": "a"}, "/v1/moderations")
    assert not is_deterministic({"input": "a"}, "/v1/responses")


def test_a_flag_stands_for_all_or_none() -> None:
    assert [dedupe_of(one) for one in (True, False, "deterministic")] == ["all", "off", "deterministic"]
