"""The checks of `waybill doctor`."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tasks.settings import Settings
from tests.support.closed_folder import closed
from tests.support.comparisons import assert_fields
from tests.support.paths import REPOSITORY
from workers.doctor import checks, model_checks, redis_checks
from workers.doctor.finding import Finding, Level

CANARY = "sk-canary-key"


def findings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, Finding]:
    # Loading the embedding model takes seconds and is tested where it lives.
    monkeypatch.setattr(checks, "_embedder", lambda settings: ())
    found: dict[str, Finding] = {}
    for finding in checks.run_checks(settings):
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


def test_a_home_that_another_user_has_closed_is_a_failure_and_stops_no_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = configured(tmp_path / "home")
    with closed(tmp_path):
        found = findings(settings, monkeypatch)
    assert "unable to open database file" in found["store"].text
    assert found["keys"].level is Level.WARN


def test_a_working_redis_is_fine_and_missing_workers_are_named(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = findings(configured(tmp_path, redis={"url": redis_url}), monkeypatch)
    assert "append-only" in found["redis"].text
    assert found["workers"] == Finding("workers", Level.WARN, "embed: none answers", "`waybill worker embed`")


def test_whether_upkeep_runs_is_not_guessed_while_the_store_is_away(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = {"url": "postgresql://nobody@127.0.0.1:1/none"}
    settings = configured(tmp_path, redis={"url": redis_url}, store=store)
    monkeypatch.setattr(checks, "_embedder", lambda settings: ())
    said = {one.text for one in checks.run_checks(settings) if one.name == "workers"}
    assert {"embed: none answers", "upkeep: unknown: the store does not answer"} <= said


def test_no_models_is_a_failure_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = findings(Settings(home=tmp_path), monkeypatch)
    assert found["models"].level is Level.FAIL
    assert "--simulate" in found["models"].advice


def test_the_way_to_each_model_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prices = {"input_price": 1, "output_price": 2, "api_base": "http://127.0.0.1:1/v1"}
    models = [
        {"name": "a", "litellm": "openai/a", **prices},
        {"name": "b", "litellm": "openai/a", "transport": "direct", **prices},
        {"name": "c", "litellm": "openai/a", "transport": "litellm", **prices},
        {"name": "d", "litellm": "anthropic/claude-sonnet-4-5", **prices},
        {"name": "e", "litellm": "groq/e", **prices},
    ]
    monkeypatch.setenv("GROQ_API_BASE", "http://127.0.0.1:1")
    found = findings(Settings.model_validate({"home": tmp_path, "models": models}), monkeypatch)
    assert found["models"].text == (
        "a (direct; LiteLLM for what is not plain), b (direct), c, d (LiteLLM), "
        "e (LiteLLM, because $GROQ_API_BASE is set)"
    )


def test_judges_must_be_models_with_a_price_and_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = {"name": "b", "litellm": "nobody/knows-this", "api_base": "http://127.0.0.1:1/v1"}
    model = {"name": "a", "litellm": "openai/a", "input_price": 1, "output_price": 2, "api_key_env": "A_KEY"}
    settings = configured(tmp_path, models=[model, free], judge={"models": ["a", "b", "gone"]})
    texts = [finding.text for finding in checks.run_checks(settings) if finding.name == "judge"]
    assert "no model 'gone' among [[models]]" in texts
    assert "the price of b is not known" in texts
    assert "$A_KEY is not set here (a)" in texts

    monkeypatch.setenv("A_KEY", CANARY)
    found = findings(configured(tmp_path, judge={"models": ["a"]}), monkeypatch)["judge"]
    assert_fields(found, level=Level.OK, text="a")
    assert "three" in found.advice
    assert "none named" in findings(configured(tmp_path), monkeypatch)["judge"].text


def test_the_champion_of_the_store_is_looked_at_and_models_it_does_not_know_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from router_core.data.labelled_prompts import LabelledPrompt
    from router_core.training.train import train
    from tasks.store.engine import Store
    from tasks.store.schema import ensure_schema
    from workers.routers import promotion

    settings = configured(tmp_path)
    rows = [LabelledPrompt(f"p{n}", f"prompt {n}", None, None, {"a": 1.0, "gone": 0.0}) for n in range(9)]
    vectors = np.eye(9, 16, dtype=np.float32)
    train(rows, vectors, embedder_id="x", embedder_fingerprint="ab" * 8).save(tmp_path / "router")
    store = Store(settings.store_url)
    ensure_schema(store)
    promotion.promote(store, settings, promotion.resolve(store, str(tmp_path / "router"), settings))
    store.close()
    newer = {**settings.models[0].model_dump(), "name": "newer"}
    found = checks.run_checks(configured(tmp_path, models=[settings.models[0], newer]))
    texts = [one.text for one in found if one.name == "router"]
    assert "all hashes match" in texts[0]
    for expected in ("not here: gone", "does not know newer"):
        assert [text for text in texts if expected in text] != [], texts


def test_a_model_that_litellm_cannot_call_here_is_named_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = {"name": "a", "litellm": "vllm/a", "input_price": 1, "output_price": 2}
    found = findings(configured(tmp_path, models=[model]), monkeypatch)
    assert found["models"].level is Level.FAIL
    assert "a: vllm/ cannot be used here: use hosted_vllm/" in found["models"].text


def test_what_others_may_read_is_named_with_what_closes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    settings = configured(home)
    assert "privacy" not in findings(settings, monkeypatch)  # the check of the store has made it
    home.chmod(0o755)
    finding = findings(settings, monkeypatch)["privacy"]
    assert finding == Finding(
        "privacy", Level.WARN, f"others may get at {home} (mode 0755)", f"chmod go= {home}"
    )
    home.chmod(0o700)
    (home / "waybill.db").chmod(0o640)
    assert str(home / "waybill.db") in findings(settings, monkeypatch)["privacy"].text


def test_doctor_runs_where_no_package_for_calling_providers_is_installed(tmp_path: Path) -> None:
    # the image of `docker compose run cli` has neither LiteLLM nor aiohttp
    code = (
        "import sys\n"
        "for name in ('litellm', 'aiohttp', 'yarl'): sys.modules[name] = None\n"
        "from tasks.settings import load_settings\n"
        "from workers.doctor.checks import run_checks\n"
        "print([finding.name for finding in run_checks(load_settings())])"
    )
    environment = {
        **os.environ,
        "WAYBILL_CONFIG": str(REPOSITORY / "deploy" / "simulate.toml"),
        "WAYBILL_HOME": str(tmp_path),
    }
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert "models" in ended.stdout


def test_without_redis_a_store_at_which_workers_are_alive_is_served_and_needs_no_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.store.engine import Store
    from tasks.store.health import workers
    from tasks.store.schema import ensure_schema

    settings = configured(tmp_path)
    assert "waybill up" in findings(settings, monkeypatch)["redis"].advice
    store = Store(settings.store_url)
    ensure_schema(store)
    with store.write() as connection:
        workers.beat(connection, "route@h-1", role="route", queues=["route"])
    store.close()
    monkeypatch.setattr(workers, "SILENT_S", 3_600.0)
    found = checks.run_checks(settings)
    assert [one.level for one in found if one.name == "redis"] == [Level.OK]
    assert "route: 1 alive" in {one.text for one in found if one.name == "workers"}
    assert not [one for one in found if "waybill up" in one.text + one.advice]


def test_a_store_of_a_server_needs_no_redis_to_submit_and_no_stack() -> None:
    settings = Settings.model_validate({"store": {"url": "postgresql://nobody@127.0.0.1:1/none"}})
    [found] = redis_checks.redis(settings)
    assert found.level is Level.OK
    assert "waybill up" not in found.text + found.advice


def test_models_that_are_paused_or_fail_for_their_key_are_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.store import paused_models
    from tasks.store.engine import Store
    from tasks.store.health import model_errors
    from tasks.store.health.model_errors import FailedCalls
    from tasks.store.schema import ensure_schema

    monkeypatch.setattr(model_checks, "RECENT_S", 3_600.0)
    settings = configured(tmp_path)
    store = Store(settings.store_url)
    ensure_schema(store)
    with store.write() as connection:
        paused_models.pause(connection, "bad", reason="authentication (401)", seconds=3_600)
        failed = [("bad", "authentication"), ("keyless", "missing_key"), ("slow", "server_error")]
        failed += [("late", "timeout"), ("away", "connection")]
        model_errors.add(connection, [FailedCalls(1, name, code, 3, code) for name, code in failed])
    store.close()
    found = [one for one in checks.run_checks(settings) if one.name == "models" and one.level is Level.FAIL]
    assert [one.text.partition(",")[0] for one in found] == [
        "bad is paused: authentication (401)",
        "keyless: 3 calls not made: missing_key",
    ]
