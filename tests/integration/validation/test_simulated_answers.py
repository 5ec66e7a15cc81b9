"""The simulator's models follow a schema, so that structured outputs can be tried without a provider."""

from __future__ import annotations

from typing import Any

from tasks.providers.interface import Transport
from tasks.store import results
from tasks.store.engine import Store
from tests.support.comparisons import assert_batch
from tests.support.dispatch_harness import DispatchHarness
from workers.simulator import SimulatorProcess

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1},
        "size": {"anyOf": [{"type": "integer", "minimum": 3}, {"type": "null"}]},
    },
    "required": ["name", "tags", "size"],
    "additionalProperties": False,
}
DEMANDS: list[dict[str, Any]] = [
    {"response_format": {"type": "json_object"}},
    {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
]


def test_simulated_models_answer_in_the_form_that_is_demanded(
    store: Store, redis_url: str, simulator: SimulatorProcess, transport: Transport
) -> None:
    simulator.client.reset()
    harness = DispatchHarness(store, redis_url, simulator, transport=transport)
    lines = [{"prompt": f"Describe thing {n}.", "max_tokens": 500, **DEMANDS[n % 2]} for n in range(8)]
    batch_id = harness.submit(lines)
    assert_batch(harness.run(batch_id), succeeded=8, calls=8, invalid_answers=0)
    assert all(record.waybill["valid"] for record in results.iter_results(store, batch_id))
