"""Prices from LiteLLM's list, for models whose settings have none."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router_core.pricing import Price
from router_core.pricing.tables import from_json, to_json
from tasks.errors import SettingsError
from tasks.settings import ModelSettings, Settings, price_list
from tasks.settings.price_list import listed_price
from tests.support.comparisons import assert_fields


@pytest.fixture(autouse=True)
def _uncached() -> Iterator[None]:
    listed_price.cache_clear()
    yield
    listed_price.cache_clear()


def price_of(model: str) -> Price:
    """Return the price of a model that is listed."""
    price = listed_price(model)
    assert price is not None
    return price


def list_with(monkeypatch: pytest.MonkeyPatch, entries: dict[str, dict[str, object]]) -> None:
    """Replace LiteLLM's list."""
    monkeypatch.setattr(price_list, "_price_list", lambda: entries)


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("openai/gpt-4o-mini", {"cached_input": 0.075, "search": 0.025}),
        ("anthropic/claude-sonnet-4-5", {"cached_input": 0.3, "cache_write": 3.75, "cache_write_1h": 6.0}),
        ("deepseek/deepseek-chat", {"cached_input": 0.028, "cache_write": None}),
        ("gemini/gemini-2.5-flash", {"audio_input": 1.0, "cached_audio_input": 0.1, "reasoning": 2.5}),
        ("perplexity/sonar-pro", {"search": 0.014, "search_sizes": (("low", 0.006), ("medium", 0.01))}),
        ("perplexity/sonar-deep-research", {"citation": 2.0, "reasoning": 3.0, "search": 0.005}),
        ("openai/text-embedding-3-small", {"input_per_million": 0.02, "output_per_million": 0.0}),
    ],
)
def test_known_models_have_the_listed_price_of_each_kind(model: str, price: dict[str, object]) -> None:
    assert_fields(listed_price(model), **price)


@pytest.mark.parametrize(
    ("model", "pair"),
    [
        ("openai/gpt-4o-mini", (0.15, 0.6)),
        ("anthropic/claude-sonnet-4-5", (3.0, 15.0)),
        ("deepseek/deepseek-chat", (0.28, 0.42)),
        ("gemini/gemini-2.5-pro", (1.25, 10.0)),
    ],
)
def test_the_first_two_prices_are_those_of_short_texts_in_the_standard_tier(
    model: str, pair: tuple[float, float]
) -> None:
    assert price_of(model).pair == pair


def test_a_long_input_has_the_price_of_its_step() -> None:
    pro = price_of("gemini/gemini-2.5-pro")
    assert pro.at(200_000) == pro
    assert_fields(pro.at(200_001), input_per_million=2.5, output_per_million=15.0, cached_input=0.25)


def test_entries_with_ranges_have_steps() -> None:
    assert price_of("dashscope/qwen-flash").pair == (0.05, 0.4)
    assert price_of("dashscope/qwen-flash").at(256_001).pair == (0.25, 2.0)


def test_xai_charges_the_higher_price_from_its_threshold_on(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "litellm_provider": "xai"}
    list_with(monkeypatch, {"xai/g": {**entry, "input_cost_per_token_above_200k_tokens": 3e-6}})
    assert price_of("xai/g").at(199_999).pair == (1.0, 2.0)
    assert price_of("xai/g").at(200_000).pair == (3.0, 2.0)


@pytest.mark.parametrize(
    ("tier", "pair", "long"),
    [
        ("flex", (1.25, 7.5), (2.5, 11.25)),
        ("batch", (1.25, 7.5), (2.5, 11.25)),
        # the list has no step of this tier: it keeps the proportion of the standard one
        ("priority", (5.0, 30.0), (10.0, 45.0)),
        ("scale", (2.5, 15.0), (5.0, 22.5)),
    ],
)
def test_a_tier_has_its_own_price_and_steps(
    tier: str, pair: tuple[float, float], long: tuple[float, float]
) -> None:
    price = price_of("openai/gpt-5.4").in_tier(tier)
    assert price.pair == pair
    assert price.at(272_001).pair == long


def test_a_kind_that_a_tier_does_not_price_keeps_its_proportion() -> None:
    batch = price_of("anthropic/claude-sonnet-4-5").in_tier("batch")
    assert_fields(batch, cached_input=0.15, cache_write=1.875, cache_write_1h=3.0)


@pytest.mark.parametrize("value", ["2.5e-06", 2.5e-06])
def test_prices_in_the_list_may_be_text(monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    list_with(monkeypatch, {"x/y": {"input_cost_per_token": value, "output_cost_per_token": "1e-5"}})
    assert price_of("x/y").pair == (2.5, 10.0)


@pytest.mark.parametrize("value", [None, "free", 0, {}, []])
def test_a_price_that_is_no_number_is_unknown(monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    list_with(monkeypatch, {"x/y": {"input_cost_per_token": value, "output_cost_per_token": 1e-5}})
    assert listed_price("x/y") is None


def test_every_chat_model_of_the_list_has_a_price_that_survives_json() -> None:
    listed = price_list._price_list()
    prices = [listed_price(name) for name in listed if listed[name].get("mode") == "chat"]
    known = [price for price in prices if price is not None]
    assert len(known) > 1_000
    assert [from_json(json.loads(json.dumps(to_json(price)))) for price in known] == known


@pytest.mark.parametrize("model", ["openai/my-own", "someone/gpt-4o-mini", "sample_spec", ""])
def test_an_unlisted_model_has_no_price(model: str) -> None:
    assert listed_price(model) is None


def test_without_litellm_no_price_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    price_list._price_list.cache_clear()
    monkeypatch.setattr(price_list, "find_spec", lambda _: None)
    try:
        assert listed_price("openai/gpt-4o-mini") is None
    finally:
        price_list._price_list.cache_clear()


def test_reading_the_list_does_not_import_litellm() -> None:
    code = "import sys; from tasks.settings.price_list import listed_price as p; assert p('openai/gpt-4o'); "
    subprocess.run([sys.executable, "-c", code + "assert 'litellm' not in sys.modules"], check=True)


def test_the_list_is_where_litellm_keeps_it() -> None:
    spec = importlib.util.find_spec("litellm")
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).with_name(price_list._FILE).exists()


def test_the_settings_outrank_the_list_and_free_stays_free() -> None:
    own = ModelSettings(name="a", litellm="openai/gpt-4o-mini", input_price=0, output_price=0)
    assert own.price == Price(0, 0)
    assert ModelSettings(name="a", litellm="openai/gpt-4o-mini").price == listed_price("openai/gpt-4o-mini")


def test_a_model_without_a_price_is_refused_unless_the_user_says_so() -> None:
    with pytest.raises(SettingsError, match=r"price of model 'mine'.*allow_unpriced"):
        _ = ModelSettings(name="mine", litellm="openai/my-own").price
    allowed = ModelSettings(name="mine", litellm="openai/my-own", allow_unpriced=True)
    assert_fields(allowed, price=Price(0, 0), known_price=None)


def test_half_a_price_is_an_error() -> None:
    with pytest.raises(ValueError, match="or neither"):
        Settings(models=({"name": "a", "litellm": "openai/a", "input_price": 1},))  # type: ignore[arg-type]


def test_the_operator_sets_a_price_for_each_kind_tier_and_length() -> None:
    model = ModelSettings(
        name="a",
        litellm="openai/a",
        input_price=2,
        output_price=8,
        cached_input_price=0.5,
        reasoning_price=10,
        request_price=0.005,
        search_price=0.01,
        price_steps=[{"above": 200_000, "input_price": 4}],
        price_tiers={"flex": {"input_price": 1, "output_price": 4}},
    )
    assert_fields(model.price, cached_input=0.5, reasoning=10, request=0.005, search=0.01)
    assert_fields(model.price.at(200_001), input_per_million=4, output_per_million=8, cached_input=1)
    assert_fields(model.price.in_tier("flex"), input_per_million=1, cached_input=0.25, reasoning=5)
    assert model.price.in_tier("flex").at(200_001).pair == (2, 4)


@pytest.mark.parametrize("key", ["cached_input_price", "request_price", "price_steps", "price_tiers"])
def test_prices_of_other_kinds_need_those_of_input_and_output(key: str) -> None:
    value = {"price_steps": [{"above": 9}], "price_tiers": {"flex": {}}}.get(key, 1)
    with pytest.raises(ValueError, match="need input_price"):
        ModelSettings(**{"name": "a", "litellm": "openai/a", key: value})


def test_a_model_at_the_price_of_its_batch_keeps_everything_else() -> None:
    model = ModelSettings(name="a", litellm="openai/a", input_price=1, output_price=2)
    assert model.at_price(Price(3, 4)).price == Price(3, 4)
    assert_fields(model.at_price(Price(3, 4)), name="a", litellm="openai/a")
    assert model.price == Price(1, 2)


def test_a_price_that_no_ledger_could_hold_is_refused() -> None:
    with pytest.raises(ValueError, match=r"input_price\n  Input should be less than or equal to 1000000"):
        ModelSettings(name="a", litellm="openai/a", input_price=1e300, output_price=1)


@pytest.mark.parametrize(
    "values",
    [
        {name: 10**30}
        for name in ("max_tokens", "expected_tokens", "rpm", "tpm", "max_concurrency", "max_searches")
    ]
    + [{"capabilities": {"context_window": 10**30}}],
    ids=str,
)
def test_a_number_that_nothing_can_reckon_with_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Input should be less than or equal to"):
        ModelSettings(name="a", litellm="openai/a", input_price=1, output_price=1, **values)
