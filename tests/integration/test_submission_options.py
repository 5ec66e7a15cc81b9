"""The options of a batch: what follows from the settings, and the prices that it keeps."""

from pathlib import Path

import pytest

from router_core.pricing import Price
from tasks.errors import SettingsError, UsageError
from tasks.settings import ModelSettings, RouterSettings, Settings
from tasks.stages import candidates
from tasks.store import batches
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.submission import submit
from tasks.submission.options import options_for
from tasks.submission.source import from_items
from tests.support.two_models import MODELS, SETTINGS


def test_options_follow_the_settings() -> None:
    assert not options_for(SETTINGS).embed, "nobody reads the vectors without a router"
    routed = Settings(models=MODELS, router=RouterSettings(path=Path("router"), quality_floor=0.1))
    assert options_for(routed).embed
    assert options_for(routed).quality_floor == 0.1
    assert options_for(routed).policy == "saving"
    assert options_for(routed, cost_weight=0.2).policy == "weighted"
    assert options_for(routed, budget_per_1000=3.0).budget_per_1000 == 3.0
    assert options_for(routed, models=["large", "large"]).models == ("large",)
    assert not options_for(routed, models=["large"]).embed
    with pytest.raises(UsageError, match=r"no model 'huge' among \[\[models\]\]: small, large"):
        options_for(routed, models=["huge"])
    with pytest.raises(SettingsError, match=r"no models.*if that is done, start in that folder"):
        options_for(Settings())


def test_a_batch_keeps_the_prices_it_was_submitted_with(store: Store) -> None:
    listed = ModelSettings(name="listed", litellm="openai/gpt-4o-mini")
    settings = Settings(models=(*MODELS, listed))
    options = options_for(settings)
    submit.submit(store, from_items(["a"], settings), source="test", options=options)
    with store.read() as connection:
        stored = BatchOptions.from_row(batches.find(connection)["options"])
    assert [stored.price(name) for name in ("small", "listed")] == [Price(1, 2), listed.price]
    assert (listed.price.pair, listed.price.cached_input) == ((0.15, 0.6), 0.075)
    dearer = Settings(
        models=tuple(m.model_copy(update={"input_price": 9, "output_price": 9}) for m in MODELS)
    )
    assert [m.price for m in candidates.candidates(dearer, stored)] == [Price(1, 2), Price(1, 2)]


def test_prices_of_a_batch_that_an_earlier_version_stored_are_pairs() -> None:
    stored = BatchOptions.from_row({"models": [], "prices": {"small": [1.0, 2.0], "free": None}})
    assert [stored.price(name) for name in ("small", "free", "other")] == [Price(1, 2), None, None]
    assert stored.unpriced == ["free"]


def test_a_model_without_a_price_stops_a_submission_or_its_budget(store: Store) -> None:
    unpriced = ModelSettings(name="mine", litellm="openai/my-own")
    with pytest.raises(SettingsError, match="price of model 'mine'"):
        options_for(Settings(models=(*MODELS, unpriced)))
    allowed = Settings(models=(*MODELS, unpriced.model_copy(update={"allow_unpriced": True})))
    options = options_for(allowed)
    with pytest.raises(UsageError, match="'mine' has none"):
        submit.submit(store, from_items(["a"], allowed), source="test", options=options, budget=1)
    assert submit.submit(store, from_items(["a"], allowed), source="test", options=options)
