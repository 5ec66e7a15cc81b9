"""Embeddings of more inputs than a call takes: split, put together, paid for once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from router_core.pricing import Usage
from tasks.providers.embedding_parts import EmbeddingParts, parts_of
from tasks.providers.errors import ErrorKind, ProviderError, RetryableError
from tasks.providers.interface import Deployment, Reply

DEPLOYMENT = Deployment("m", "openai/m", max_inputs=2, max_inputs_tokens=1000)
TEXTS = [f"text {n}" for n in range(9)]


class FakeProvider:
    """A provider whose vector of a text is its last letter, and that fails for some texts."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.failing: dict[str, ProviderError] = {}

    async def complete(self, deployment: Deployment, body: Mapping[str, Any], *, endpoint: str = "") -> Reply:
        given = [body["input"]] if isinstance(body["input"], str) else body["input"]
        self.calls.append(given)
        for text in given:
            if text in self.failing:
                raise self.failing.pop(text)
        # In the wrong order, as some servers send them.
        data = [{"index": index, "embedding": [int(text[-1])]} for index, text in enumerate(given)][::-1]
        used = 5 * len(given)
        answer = {"object": "list", "data": data, "usage": {"prompt_tokens": used, "total_tokens": used}}
        return Reply(answer, Usage(input=used), 0.1)

    async def aclose(self) -> None:
        """Do nothing."""


def embed(parts: EmbeddingParts, provider: FakeProvider, texts: list[str]) -> Reply:
    return asyncio.run(parts.complete(provider, DEPLOYMENT, {"input": texts}))


def test_the_parts_are_within_both_limits_and_in_order() -> None:
    limits = Deployment("m", "openai/m", max_inputs=3, max_inputs_tokens=20)
    given = ["a" * 30, "b" * 30, "c", "d", "e", "f", "g" * 90, "h"]
    found = [part["input"] for part in parts_of({"input": given}, limits)]
    assert found == [["a" * 30, "b" * 30], ["c", "d", "e"], ["f"], ["g" * 90], ["h"]]


def test_lists_of_token_ids_count_by_their_length() -> None:
    limits = Deployment("m", "openai/m", max_inputs=9, max_inputs_tokens=4)
    parts = list(parts_of({"input": [[1, 2, 3], [4, 5], [6, 7]], "dimensions": 8}, limits))
    assert parts == [
        {"input": [[1, 2, 3]], "dimensions": 8},
        {"input": [[4, 5], [6, 7]], "dimensions": 8},
    ]


def test_the_vectors_come_back_in_the_order_of_the_inputs_and_the_usage_is_summed() -> None:
    provider = FakeProvider()
    reply = embed(EmbeddingParts(), provider, TEXTS)
    assert len(provider.calls) == 5
    assert [item["index"] for item in reply.body["data"]] == list(range(9))
    assert [item["embedding"] for item in reply.body["data"]] == [[n] for n in range(9)]
    assert reply.body["usage"] == {"prompt_tokens": 45, "total_tokens": 45}
    assert reply.usage is not None
    assert (reply.usage.input, reply.usage.requests) == (45, 5)


def test_a_request_of_one_part_is_sent_as_it_is() -> None:
    provider = FakeProvider()
    asyncio.run(EmbeddingParts().complete(provider, DEPLOYMENT, {"input": "text 7"}))
    assert provider.calls == [["text 7"]]


def test_a_part_that_fails_charges_the_others_and_only_the_missing_ones_are_called_again() -> None:
    provider, parts = FakeProvider(), EmbeddingParts()
    provider.failing["text 3"] = RetryableError(ErrorKind.RATE_LIMIT, status=429)
    with pytest.raises(RetryableError) as failure:
        embed(parts, provider, TEXTS)
    assert failure.value.maybe_billed
    assert failure.value.usage is not None
    # Three of the four parts of the first wave; the fifth part was not started.
    assert failure.value.usage.input == 30
    provider.calls.clear()
    reply = embed(parts, provider, TEXTS)
    assert provider.calls == [["text 2", "text 3"], ["text 8"]]
    assert reply.usage is not None
    assert reply.usage.input == 15
    assert [item["embedding"] for item in reply.body["data"]] == [[n] for n in range(9)]
    assert reply.body["usage"]["prompt_tokens"] == 45


def test_a_part_of_unknown_cost_makes_the_cost_of_the_attempt_unknown() -> None:
    provider = FakeProvider()
    provider.failing["text 3"] = RetryableError(ErrorKind.TIMEOUT, maybe_billed=True)
    with pytest.raises(RetryableError) as failure:
        embed(EmbeddingParts(), provider, TEXTS)
    assert (failure.value.maybe_billed, failure.value.usage) == (True, None)


def test_an_attempt_of_which_nothing_was_paid_costs_nothing() -> None:
    provider = FakeProvider()
    for text in ("text 0", "text 2", "text 4", "text 6"):
        provider.failing[text] = RetryableError(ErrorKind.SERVER, status=500)
    with pytest.raises(RetryableError) as failure:
        embed(EmbeddingParts(), provider, TEXTS)
    assert not failure.value.maybe_billed
