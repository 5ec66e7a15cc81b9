from pathlib import Path

import pytest

from tasks.settings import Settings
from workers import doctor
from workers.doctor import Finding, Level

CANARY = "sk-canary-key"


def findings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, Finding]:
    # Loading the embedding model takes seconds and is tested where it lives.
    monkeypatch.setattr(doctor, "_embedder", lambda settings: ())
    found: dict[str, Finding] = {}
    for finding in doctor.examine(settings):
        worst = found.get(finding.name)
        if worst is None or worst.level is Level.OK:
            found[finding.name] = finding
    return found


def configured(home: Path, **sections: object) -> Settings:
    model = {"name": "a", "litellm": "openai/a", "input_price": 1, "output_price": 2, "api_key_env": "A_KEY"}
    return Settings.model_validate({"home": home, "models": [model], **sections})


def test_keys_are_looked_for_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = configured(tmp_path)
    assert findings(settings, monkeypatch)["keys"].level is Level.WARN
    monkeypatch.setenv("A_KEY", CANARY)
    found = findings(settings, monkeypatch)
    assert found["keys"] == Finding("keys", Level.OK, "$A_KEY is set (a)")
    assert CANARY not in repr(found)


def test_a_redis_that_does_not_answer_and_a_missing_router_are_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "redis://:secret-word@127.0.0.1:1/0"
    settings = configured(tmp_path, redis={"url": url}, router={"path": tmp_path / "none"})
    found = findings(settings, monkeypatch)
    assert found["redis"].level is Level.FAIL
    assert found["router"].level is Level.FAIL
    assert found["store"].level is Level.OK
    assert "secret-word" not in repr(found)


def test_a_working_redis_is_fine_and_missing_workers_are_named(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = findings(configured(tmp_path, redis={"url": redis_url}), monkeypatch)
    assert "append-only" in found["redis"].text
    assert found["workers"] == Finding("workers", Level.WARN, "embed: none answers", "`waybill worker embed`")


def test_no_models_is_a_failure_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = findings(Settings(home=tmp_path), monkeypatch)
    assert found["models"].level is Level.FAIL
    assert "--simulate" in found["models"].advice


def test_models_that_are_called_without_litellm_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = {"litellm": "openai/a", "input_price": 1, "output_price": 2, "api_base": "http://127.0.0.1:1/v1"}
    models = [{"name": "a", **model}, {"name": "b", **model, "transport": "direct"}]
    found = findings(Settings.model_validate({"home": tmp_path, "models": models}), monkeypatch)
    assert found["models"].text == "a, b (direct)"
