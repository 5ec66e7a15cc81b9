"""What would fail at the first call of a model is said before there is one."""

from pathlib import Path

import pytest

from tasks.settings import Settings
from workers.cli.processes import problems_at_start
from workers.doctor import model_checks
from workers.doctor.finding import Level


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "A_KEY"):
        monkeypatch.delenv(name, raising=False)


def _settings(**model: object) -> Settings:
    entry = {"name": "small", "litellm": "openai/gpt-4o-mini", "input_price": 1, "output_price": 1, **model}
    return Settings.model_validate({"home": Path("none"), "models": [entry]})


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ({"api_key_env": "A_KEY"}, "$A_KEY is not set here (small)"),
        ({}, "small names no key"),
        ({"litellm": "my-own-model", "api_base": "http://127.0.0.1:1/v1"}, "names no provider"),
        ({"litellm": "gpt-4o-mni", "api_base": "http://127.0.0.1:1/v1"}, "did you mean 'gpt-4o-mini'?"),
        (
            {"litellm": "opennai/x", "api_base": "http://127.0.0.1:1/v1"},
            "no provider 'opennai'; did you mean 'openai'?",
        ),
    ],
)
def test_a_missing_key_or_provider_is_said_at_the_start(model: dict[str, object], says: str) -> None:
    found = problems_at_start(_settings(**model))
    assert [line for line in found if line.startswith("warning: ") and says in line]


@pytest.mark.parametrize("litellm", ["openai/own", "hosted_vllm/own", "gpt-4o-mini", "nobody-like-this/x"])
def test_a_server_of_ones_own_and_names_that_litellm_lists_are_fine(litellm: str) -> None:
    assert problems_at_start(_settings(litellm=litellm, api_base="http://127.0.0.1:1/v1")) == []


def test_a_name_without_a_provider_fails_the_doctor() -> None:
    [model] = _settings(litellm="my-own-model").models
    assert [one.level for one in model_checks.provider(model)] == [Level.FAIL]
