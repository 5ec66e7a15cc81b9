"""A batch over models of every provider: the ledger holds their bill, and the results add up to it."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tasks.formats.writing import ResultFormat, write_results
from tasks.providers.interface import Transport
from tasks.store import results
from tasks.store.engine import Store
from tasks.store.tables import attempt
from tests.support.dispatch_harness import DispatchHarness
from tests.support.invariants import check_batch
from tests.support.provider_models import OPENAI_SHAPED, PROVIDER_MODELS
from workers.simulator import SimulatorProcess

WAYS = {"litellm": list(PROVIDER_MODELS), "direct": OPENAI_SHAPED}
LONG = "The harbour report of the year. " * 200
TIERS = {"openai": "priority", "openai reasoning": "flex"}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLS_KEY", "sk-key")


def model_of(name: str, sim: SimulatorProcess, transport: Transport) -> dict[str, Any]:
    """Return an entry of `[[models]]` with the simulator's prices, which no list needs to know."""
    model = PROVIDER_MODELS[name]
    profile = model.profile
    prices = {
        "input_price": profile.input_price,
        "output_price": profile.output_price,
        "cached_input_price": profile.cached_input_price,
        "cache_write_price": profile.cache_write_price,
        "cache_write_1h_price": profile.cache_write_1h_price,
        "request_price": profile.request_fee,
        "price_tiers": {
            tier: {"input_price": profile.input_price * times, "output_price": profile.output_price * times}
            for tier, times in profile.tiers.items()
        },
    }
    return {
        "name": f"{name.replace(' ', '-')}-{secrets.token_hex(4)}",
        "litellm": model.litellm if transport == "litellm" else f"openai/{model.name}",
        "api_base": sim.url_of(model.provider),
        "api_key_env": "BILLS_KEY",
        "transport": transport,
        **{key: value for key, value in prices.items() if value is not None},
    }


def requests_to(model: str, name: str) -> list[dict[str, Any]]:
    """Return requests of every price: plain, long enough for a cache, and in a tier."""
    limit = "max_completion_tokens" if name == "openai reasoning" else "max_tokens"
    tier = {"service_tier": TIERS[name]} if name in TIERS else {}
    return [
        {"prompt": f"Name a colour, {name}.", "model": model, limit: 200},
        {"prompt": "And a shape.", "system": LONG, "model": model, limit: 200},
        {"prompt": "In a tier.", "model": model, limit: 200, **tier},
    ]


def spent_on_lines(store: Store, batch_id: str, output: Path) -> int:
    """Return the sum of the costs on the lines of the batch's results, in micro-dollars."""
    write_results(results.iter_results(store, batch_id), output, format=ResultFormat.OPENAI)
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    return sum(round(line["response"]["body"]["waybill"]["cost_usd"] * 1e6) for line in lines)


@pytest.mark.parametrize("transport", WAYS)
def test_the_ledger_holds_the_bill_of_every_provider_and_results_add_up_to_it(
    store: Store, redis_url: str, sim: SimulatorProcess, tmp_path: Path, transport: Transport
) -> None:
    models = {name: model_of(name, sim, transport) for name in WAYS[transport]}
    harness = DispatchHarness.of_models(store, redis_url, list(models.values()))
    items = [item for name, model in models.items() for item in requests_to(model["name"], name)]
    for _ in range(2):  # the second batch finds its long prompts in the caches
        before = sim.client.stats()["billed_micro_usd"]
        batch_id = harness.submit(items)
        row = harness.run(batch_id)
        check_batch(store, batch_id)
        assert (row["succeeded"], row["failed"]) == (len(items), 0)
        billed = sim.client.stats()["billed_micro_usd"] - before
        assert billed <= row["spent"] <= billed + row["calls"]
        assert spent_on_lines(store, batch_id, tmp_path / "out") == row["spent"]
    with store.read() as connection:
        usages = list(connection.execute(select(attempt.c.usage)).scalars())
    assert sum("reasoning" in usage for usage in usages) > 0
    assert sum("cached_input" in usage for usage in usages) > 0
    assert {usage.get("tier") for usage in usages} >= {"priority", "flex"}
