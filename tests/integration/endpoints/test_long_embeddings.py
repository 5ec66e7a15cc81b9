"""A line with more inputs than the provider takes in one call: one result, paid as billed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tasks.store.results import iter_results
from tests.support.comparisons import assert_batch
from tests.support.dispatch_harness import DispatchHarness
from workers.simulator import SimulatorProcess
from workers.simulator.protocols.openai_embeddings import vector_of

MakeHarness = Callable[..., DispatchHarness]


def test_a_long_list_is_one_result_with_all_vectors_and_costs_what_was_billed(
    make_harness: MakeHarness, simulator: SimulatorProcess
) -> None:
    harness = make_harness(models={"sim-nano": {"max_inputs": 7}})
    texts = [f"{'word ' * 40}{n}" for n in range(30)]
    line = {"url": "/v1/embeddings", "input": texts, "model": harness.named("sim-nano")}
    batch_id = harness.submit([line])
    row = harness.run(batch_id)
    assert_batch(row, status="completed", succeeded=1)
    [result] = iter_results(harness.store, batch_id)
    assert result.body is not None
    assert [item["index"] for item in result.body["data"]] == list(range(30))
    expected = [pytest.approx(vector_of(text)) for text in texts]
    assert [item["embedding"] for item in result.body["data"]] == expected
    stats = simulator.client.stats()
    assert stats["received"] == 5
    # Each call's bill is rounded up, the line's cost once.
    assert 0 <= stats["billed_micro_usd"] - row["spent"] < 5
