"""What would fail at the first call of a model is said before there is one."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.errors import SettingsError
from tasks.settings import Settings
from tasks.submission.options import options_for
from workers.cli.processes import problems_at_start
from workers.doctor import model_checks, redis_checks
from workers.doctor.finding import Level
from workers.worker.run import Role, queues_of


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


_STORES: dict[str, dict[str, object]] = {
    "a file": {},
    "a team": {"store": {"url": "postgresql://db/waybill"}},
}


@pytest.mark.parametrize(
    ("store", "has_models", "command"),
    [
        ("a file", True, "`waybill up`"),
        ("a file", False, "`waybill up --simulate`"),
        ("a team", True, ""),
        ("a team", False, ""),
    ],
)
def test_a_stack_is_advised_only_where_it_starts_and_is_the_only_one(
    tmp_path: Path, store: str, has_models: bool, command: str
) -> None:
    listed = [{"name": "a", "litellm": "openai/a"}] if has_models else []
    settings = Settings.model_validate({"home": tmp_path, "models": listed, **_STORES[store]})
    assert settings.stack_command == command
    with pytest.raises(SettingsError) as no_redis:
        _ = settings.redis_url
    told = [str(no_redis.value), *(one.advice for one in redis_checks.redis(settings))]
    if not has_models:
        told += [one.advice for one in model_checks.models(settings)]
        calls: tuple[Callable[[], object], ...] = (
            lambda: queues_of(settings, Role.DISPATCH),
            lambda: options_for(settings),
        )
        for call in calls:
            with pytest.raises(SettingsError, match=r"no models: add \[\[models\]\]") as no_models:
                call()
            told.append(str(no_models.value))
    named = {advised for text in told for advised in re.findall(r"`waybill up[^`]*`", text)}
    assert named == ({command} if command else set())
