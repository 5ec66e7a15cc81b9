"""`waybill submit` without a stack: what it says of requests that repeat others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.store.engine import Store
from tasks.store.health import workers
from tests.support.command import waybill
from tests.support.one_model import MODEL
from workers.cli.store_context import nobody_works


def _lines(*temperatures: float | None) -> str:
    return "".join(
        json.dumps({"prompt": "a"} if t is None else {"prompt": "a", "temperature": t}) + "\n"
        for t in temperatures
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "waybill.toml").write_text(MODEL)
    (tmp_path / "in.jsonl").write_text(_lines(None, None, None, 0.7, 0.7, 0, 0))
    return tmp_path


def _duplicates(home: Path, *options: str) -> tuple[int, int, str]:
    submitted = waybill("submit", "in.jsonl", "--json", *options, cwd=home)
    assert submitted.returncode == 0, submitted.stderr
    batch_id = json.loads(submitted.stdout)["batch_id"]
    state = json.loads(waybill("status", batch_id, "--json", cwd=home).stdout)
    return state["duplicates"], state["random_duplicates"], submitted.stderr


def test_it_says_how_many_requests_share_an_answer_that_is_drawn_at_random(home: Path) -> None:
    duplicates, random, said = _duplicates(home)
    assert (duplicates, random) == (4, 3)
    assert "4 of 7 requests repeat others; 3 of them with temperature above 0 share one answer" in said


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--dedupe", "deterministic"), (1, 0)),
        (("--dedupe", "off"), (0, 0)),
        (("--no-dedupe",), (0, 0)),
        (("--dedupe", "all"), (4, 3)),
    ],
)
def test_which_repeats_share_a_call_is_an_option(
    home: Path, options: tuple[str, ...], expected: tuple[int, int]
) -> None:
    assert _duplicates(home, *options)[:2] == expected


def test_the_settings_choose_where_no_option_does(home: Path) -> None:
    (home / "waybill.toml").write_text('dedupe = "deterministic"\n' + MODEL)
    assert _duplicates(home)[:2] == (1, 0)
    assert _duplicates(home, "--dedupe", "all")[:2] == (4, 3)


def test_an_unknown_choice_is_refused_with_the_known_ones(home: Path) -> None:
    refused = waybill("submit", "in.jsonl", "--dedupe", "some", cwd=home)
    assert refused.returncode != 0
    assert "all, deterministic, off" in refused.stderr


def test_a_period_that_is_none_is_refused_and_shows_how_to_write_one(home: Path) -> None:
    refused = waybill("submit", "in.jsonl", "--reuse", "a month", cwd=home)
    assert refused.returncode != 0
    assert "30d" in refused.stderr


@pytest.mark.parametrize(("options", "budget"), [((), 2.0), (("--budget", "0.5"), 0.5)])
def test_a_batch_that_names_no_budget_has_that_of_the_settings(
    home: Path, options: tuple[str, ...], budget: float
) -> None:
    (home / "waybill.toml").write_text(f"budget = 2\n{MODEL}")
    batch_id = waybill("submit", "in.jsonl", *options, cwd=home).stdout.strip()
    state = json.loads(waybill("status", batch_id, "--json", cwd=home).stdout)
    assert state["budget_usd"] == budget


@pytest.mark.parametrize("budget", ["0", "-1", "nan", "inf"])
def test_a_budget_of_the_settings_that_is_none_is_refused(home: Path, budget: str) -> None:
    (home / "waybill.toml").write_text(f"budget = {budget}\n{MODEL}")
    refused = waybill("submit", "in.jsonl", cwd=home)
    assert refused.returncode == 1
    assert "budget" in refused.stderr


def test_options_of_a_new_batch_are_refused_beside_resume(home: Path) -> None:
    batch_id = waybill("submit", "in.jsonl", cwd=home).stdout.strip()
    options = ("--budget", "1", "--policy", "quality", "--validator", "json", "--no-fallback")
    refused = waybill("submit", "in.jsonl", "--resume", batch_id, *options, cwd=home)
    assert refused.returncode != 0
    assert "leave out --budget, --no-fallback, --policy, --validator" in " ".join(refused.stderr.split())
    plain = waybill("submit", "in.jsonl", "--resume", batch_id, cwd=home)
    assert "nothing is left to resume" in " ".join(plain.stderr.split())


def test_only_a_file_at_which_nobody_works_is_said_to_need_a_stack(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "waybill up" in waybill("submit", "in.jsonl", cwd=home).stderr
    store = Store(f"sqlite:///{home / '.waybill' / 'waybill.db'}")
    monkeypatch.setattr(workers, "SILENT_S", 3_600.0)
    assert "waybill up" in nobody_works(store)
    with store.write() as connection:
        workers.beat(connection, "route@h-1", role="route", queues=["route"])
    assert nobody_works(store) == ""
    store.close()


def test_a_file_that_names_an_unknown_model_is_told_how_to_have_it_routed(home: Path) -> None:
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "q"}]}
    (home / "named.jsonl").write_text(json.dumps({**line, "body": body}) + "\n")
    for options in ((), ("--dry-run",)):
        refused = waybill("submit", "named.jsonl", *options, cwd=home)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert """the model 'gpt-4o' is not one of [[models]]; a line with the model "auto" is routed""" in (
            refused.stderr
        )
        assert "named.jsonl holds no request: 1 bad line" in refused.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--policy", "quality", "--quality-floor", "0.05"),
            "quality_floor is for the policy 'saving'",
        ),
        (
            ("--policy", "saving", "--cost-weight", "0.1"),
            "cost_weight is for the policy 'weighted'",
        ),
        (
            ("--budget-per-1000", "1", "--cost-weight", "0.1"),
            "is for the policy 'weighted': 'budget' does not use it",
        ),
        (("--policy", "budget"), "needs budget_per_1000"),
    ],
)
def test_a_number_that_its_policy_does_not_use_is_refused(
    home: Path, options: tuple[str, ...], said: str
) -> None:
    for dry_run in ((), ("--dry-run",)):
        refused = waybill("submit", "in.jsonl", *options, *dry_run, cwd=home)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert said in refused.stderr
