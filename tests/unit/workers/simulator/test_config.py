"""A configuration is read as a whole, or refused with the file and the reason."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.comparisons import assert_fields
from tests.support.paths import REPOSITORY
from workers.simulator import Fault, default_config, load_config, with_transient_failures
from workers.simulator.config import ModelProfile
from workers.simulator.errors import SimulatorConfigError
from workers.simulator.ledger import Ledger
from workers.simulator.limits import RateLimit
from workers.simulator.loading import dump_config

MODEL = '[[models]]\nname = "m"\ninput_price = 1\noutput_price = 2\n'


def test_the_default_models_rise_in_price_and_the_dearest_is_the_best_overall() -> None:
    models = default_config().models
    assert [model.name for model in models] == ["sim-nano", "sim-coder", "sim-writer", "sim-large"]
    assert sorted(models, key=lambda model: model.output_price) == list(models)
    assert max(models, key=lambda model: sum(model.strengths.values())).name == "sim-large"


def test_a_configuration_survives_the_way_to_another_process(tmp_path: Path) -> None:
    config = with_transient_failures(replace(default_config(), seed=7, echo_errors=True), 0.1)
    path = tmp_path / "config.json"
    path.write_text(dump_config(config))
    assert load_config(path) == config


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("models = [", "Invalid"),
        ("seed = 1", "there must be one"),
        (MODEL + MODEL, "named once each"),
        (MODEL + "colour = 3", "unknown key 'colour'"),
        (MODEL + "rpm = 0", "rpm must be positive"),
        (MODEL + "latency_ms = -1", "latency_ms must not be negative"),
        (MODEL + "failures = { hiccup = 0.1 }", "unknown failure 'hiccup'"),
        (MODEL + "failures = { hang = 0.7, reset = 0.7 }", "add up to at most 1"),
        (MODEL + "strengths = { cooking = 0.1 }", "unknown category 'cooking'"),
        (MODEL + "strengths = { coding = 1.1 }", "between 0 and 1"),
        ('[[models]]\nname = "m"', "input_price"),
    ],
)
def test_a_wrong_configuration_is_refused_with_file_and_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "sim.toml"
    path.write_text(text)
    with pytest.raises(SimulatorConfigError, match=r"sim\.toml") as caught:
        load_config(path)
    assert reason in str(caught.value)


def test_transient_failures_add_up_to_the_share_that_was_asked_for() -> None:
    for model in with_transient_failures(default_config(), 0.04).models:
        assert sum(model.failures.values()) == pytest.approx(0.04)
        assert Fault.UNAUTHORIZED not in model.failures


def test_a_bill_is_rounded_up_to_a_whole_micro_dollar() -> None:
    model = ModelProfile(name="m", input_price=0.1, output_price=0.4)
    assert [model.micro_usd(*tokens) for tokens in ((3, 0), (10, 0), (30, 0), (1, 10))] == [1, 1, 3, 5]


def test_a_rate_limit_lets_a_minutes_worth_through_and_then_names_the_wait() -> None:
    limit = RateLimit(rpm=2, tpm=None)
    assert [limit.admit(5, now=0.0) for _ in range(2)] == [0.0, 0.0]
    assert limit.admit(5, now=0.0) == pytest.approx(30.0)
    assert limit.admit(5, now=30.0) == 0.0


def test_tokens_per_minute_hold_back_a_call_without_using_up_its_request() -> None:
    limit = RateLimit(rpm=2, tpm=100)
    assert limit.admit(80, now=0.0) == 0.0
    assert limit.admit(80, now=0.0) == pytest.approx(36.0)
    assert limit.admit(20, now=0.0) == 0.0


def test_a_call_larger_than_a_minutes_tokens_passes_once_the_bucket_is_full() -> None:
    limit = RateLimit(rpm=None, tpm=100)
    assert limit.admit(500, now=0.0) == 0.0
    assert limit.admit(1, now=0.0) > 200


def test_the_ledger_counts_calls_in_flight_and_their_peak() -> None:
    ledger = Ledger()
    with ledger.call("m") as one, ledger.call("m"):
        one.status = "200"
    with ledger.call("m"):
        pass
    counts = ledger.stats()["models"]["m"]
    assert_fields(counts, received=3, in_flight=0, peak_in_flight=2)
    assert counts["by_status"] == {"200": 1, "none": 2}


def test_a_model_of_a_file_knows_its_key_as_the_page_of_the_simulator_says(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "simulator.md").read_text()
    setting = page.partition("then add to a model: ")[2].partition("\n")[0]
    default = (REPOSITORY / "workers" / "simulator" / "default.toml").read_text()
    path = tmp_path / "strict.toml"
    path.write_text(default.replace("[[models]]\n", f"[[models]]\n{setting}\n", 1))
    keys = [model.api_key for model in load_config(path).models]
    assert keys == ["sk-right", None, None, None]
