"""One batch over the models of all providers, each in its own protocol: answered once, and paid as billed."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.settings.price_list import listed_price
from tasks.store.engine import Store
from tasks.store.results import iter_results
from tests.support.comparisons import assert_batch
from tests.support.dispatch_harness import DispatchHarness
from tests.support.provider_models import PROVIDER_MODELS, ProviderModel
from tests.support.stores import SQLITE_ONLY
from workers.simulator import SimulatorProcess

QUESTIONS = ("How deep is the harbour?", "[[sim:reasoning=40]] Why?", "[[sim:status=503 times=1]] Who?")


def settings_of(model: ProviderModel, providers: SimulatorProcess, name: str) -> dict[str, Any]:
    own = {"input_price": model.profile.input_price, "output_price": model.profile.output_price}
    return {
        "name": name, "litellm": model.litellm, "api_base": providers.url_of(model.provider),
        "api_key_env": "PROVIDERS_KEY", "max_tokens": 300, **({} if listed_price(model.litellm) else own),
    }  # fmt: skip


@SQLITE_ONLY
def test_a_batch_over_all_providers_is_answered_and_paid_as_billed(
    store: Store, redis_url: str, providers: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVIDERS_KEY", "sk-key")
    providers.client.reset()
    names = {f"all-{key.replace(' ', '-')}": model for key, model in PROVIDER_MODELS.items()}
    models = [settings_of(model, providers, name) for name, model in names.items()]
    harness = DispatchHarness.of_models(store, redis_url, models, dispatch={"backoff_s": 0.01})
    lines = [{"model": name, "prompt": f"{question} ({name})"} for name in names for question in QUESTIONS]
    batch = harness.run(harness.submit(lines))
    assert_batch(batch, status="completed", succeeded=len(lines), failed=0, calls=len(lines) + len(names))
    stats = providers.client.stats()
    assert stats["received"] == batch["calls"]
    assert stats["billed"] == len(lines)
    # A micro-dollar at most for each kind of each call.
    assert stats["billed_micro_usd"] <= batch["spent"] <= stats["billed_micro_usd"] + 6 * len(lines)
    for record in iter_results(store, batch["id"]):
        assert record.body is not None
        assert record.body["model"] in names
