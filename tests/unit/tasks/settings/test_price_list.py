"""Prices from LiteLLM's list, for models whose settings have none."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from router_core.pricing import Price
from tasks.errors import SettingsError
from tasks.settings import ModelSettings, Settings, price_list
from tasks.settings.price_list import listed_price
from tests.support.comparisons import assert_fields


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("openai/gpt-4o-mini", Price(0.15, 0.6)),
        ("anthropic/claude-sonnet-4-5", Price(3.0, 15.0)),
        ("deepseek/deepseek-chat", Price(0.28, 0.42)),
    ],
)
def test_known_models_have_the_listed_price(model: str, price: Price) -> None:
    assert listed_price(model) == price


def test_the_price_of_a_model_is_that_of_its_most_expensive_tier() -> None:
    assert listed_price("gemini/gemini-2.5-pro") == Price(2.5, 15.0)


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
    assert ModelSettings(name="a", litellm="openai/gpt-4o-mini").price == Price(0.15, 0.6)


def test_a_model_without_a_price_is_refused_unless_the_user_says_so() -> None:
    with pytest.raises(SettingsError, match=r"price of model 'mine'.*allow_unpriced"):
        _ = ModelSettings(name="mine", litellm="openai/my-own").price
    allowed = ModelSettings(name="mine", litellm="openai/my-own", allow_unpriced=True)
    assert_fields(allowed, price=Price(0, 0), known_price=None)


def test_half_a_price_is_an_error() -> None:
    with pytest.raises(ValueError, match="or neither"):
        Settings(models=({"name": "a", "litellm": "openai/a", "input_price": 1},))  # type: ignore[arg-type]
