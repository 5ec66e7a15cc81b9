"""After a run with many failures no prompt, answer or key is found outside the store."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tasks.store.tables import outcome
from tests.support.flower import Flower
from tests.support.invariants import check_batch
from tests.support.redis_monitor import RedisMonitor, redis_contents
from tests.support.secrets import leaks
from tests.support.stack import Stack
from workers.simulator import SimulatorProcess, default_config

PROMPT = "CANARY-prompt-7f3a91c2"
KEY = "sk-CANARY-key-51d0e8b7"
KEY_VARIABLE = "TEST_PROVIDER_KEY"
AUTH = "canary-user:canary-password"
CRASH = "crash-on-reading"

#: every process reads JSON through this: a stage that meets the marker fails with its input in the text
CRASHING = f"""
import json
loads = json.loads
def crashing(text, *args, **kwargs):
    if isinstance(text, str) and {CRASH!r} in text:
        raise ValueError(f"cannot read {{text}}")
    return loads(text, *args, **kwargs)
json.loads = crashing
"""

#: directives to the simulator, and how a prompt with each must end
ENDINGS = {
    "": "succeeded",
    "[[sim:status=500 times=1]]": "succeeded",
    "[[sim:status=401 times=1]]": "succeeded",
    "[[sim:status=429 times=1]]": "succeeded",
    "[[sim:reset times=1]]": "succeeded",
    "[[sim:hang times=1]]": "succeeded",
    "[[sim:html times=1]]": "succeeded",
    "[[sim:status=500]]": "failed",
    "[[sim:status=400]]": "failed",
    "[[sim:no-such-word]]": "failed",
    "[[sim:content_policy]]": "failed",
    "[[sim:truncated]]": "failed",
    CRASH: "failed",
}
COPIES = 3


@dataclass
class Remains:
    """What the run left behind: texts by place, tasks as Flower knows them, pieces of answers."""

    places: dict[str, bytes | str] = field(default_factory=dict)
    tasks: dict[str, Any] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def remains(tmp_path_factory: pytest.TempPathFactory, router: Path) -> Iterator[Remains]:
    """What is left after a batch with some prompts for each ending."""
    home = tmp_path_factory.mktemp("privacy")
    (home / "sitecustomize.py").write_text(CRASHING)
    config = default_config()
    models = tuple(replace(model, api_key=KEY) for model in config.models)
    with (
        SimulatorProcess(replace(config, models=models, echo_errors=True)) as simulator,
        Stack(
            home,
            simulator=simulator,
            # More than half of the calls fail on purpose: a circuit would open, and let one probe through. A
            # refused key opens it whatever the rate, and the probes may meet one such prompt after another.
            settings={
                "router": {"path": str(router)},
                "breaker": {"min_calls": 10_000, "open_s": 0.5, "open_cap_s": 1.0},
                "dispatch": {"attempts_per_model": 4, "attempts_last_model": 6},
            },
            models={model.name: {"api_key_env": KEY_VARIABLE, "timeout_s": 5.0} for model in models},
            environment={KEY_VARIABLE: KEY, "PYTHONPATH": str(home)},
        ) as stack,
    ):
        flower = Flower(stack, AUTH)
        stack.start("upkeep")
        stack.await_ready(
            stack.start("embed"),
            stack.start("route", "--log-format", "json"),
            stack.start("dispatch", "--loglevel", "debug"),
        )
        flower.await_events(workers=4)
        with RedisMonitor(stack.redis) as events:
            batch_id = stack.submit(prompts())
            stack.wait(batch_id)
            check_endings(stack, batch_id)
            left = Remains(flower.pages(), flower.tasks(), answers(stack, batch_id))
        left.places |= {"events": b"\n".join(events.seen), **redis_contents(stack.redis), **stack.logs()}
        assert len(left.places["redis appendonly.aof"]) > 10_000
        yield left


def prompts() -> list[object]:
    """Return some prompts for each ending, and one that crashes the dispatch stage."""
    texts: list[object] = [f"{directive} {PROMPT} number {n}" for directive in ENDINGS for n in range(COPIES)]
    return [*texts, {"id": "named", "prompt": f"{CRASH} {PROMPT}", "model": "sim-nano"}]


def answers(stack: Stack, batch_id: str) -> list[str]:
    """Return the beginning of each answer."""
    with stack.store.read() as connection:
        bodies = list(connection.execute(select(outcome.c.body).where(outcome.c.body.is_not(None))).scalars())
    texts = [json.loads(body)["choices"][0]["message"]["content"] for body in bodies]
    return [text[:40] for text in texts]


def check_endings(stack: Stack, batch_id: str) -> None:
    """Check that the failures happened."""
    totals = check_batch(stack.store, batch_id)
    expected = [ending for ending in ENDINGS.values() for _ in range(COPIES)] + ["failed"]
    assert totals.outcomes == {end: expected.count(end) for end in ("succeeded", "failed")}
    with stack.store.read() as connection:
        codes = set(connection.execute(select(outcome.c.error_code)).scalars())
    assert {"server_error", "context_window", "bad_request", "stage_failed", "internal_error"} <= codes


def test_no_prompt_answer_or_key_is_seen_outside_the_store(remains: Remains) -> None:
    assert len(remains.answers) == COPIES * sum(ending == "succeeded" for ending in ENDINGS.values())
    assert leaks(remains.places, [PROMPT, KEY, *remains.answers]) == []


def test_every_place_that_was_searched_had_something_to_find(remains: Remains) -> None:
    assert [place for place, content in remains.places.items() if not content and "upkeep" not in place] == []
    seen = b"".join(c if isinstance(c, bytes) else c.encode() for c in remains.places.values())
    # Ids, failures by class, and the names of tasks are there: nothing was searched that is simply empty.
    assert b"waybill.dispatch" in seen
    assert b"StageFailed" in seen
    assert leaks({"all": seen}, ["waybill.dispatch"]) == [("all", "waybill.dispatch")]


def test_flower_shows_dispatch_failures_as_counts_and_codes(remains: Remains) -> None:
    failures = [
        task["exception"]
        for task in remains.tasks.values()
        if task["name"] == "waybill.dispatch" and task["state"] == "FAILURE"
    ]
    assert len(failures) > 0
    assert [failure for failure in failures if " calls failed: " not in failure] == []
    shown = " ".join(failures)
    codes = ("server_error", "authentication", "context_window")
    assert [code for code in codes if f"{code} x" not in shown] == [], shown


def test_flower_shows_the_runtime_of_a_group_s_calls(remains: Remains) -> None:
    states = ("SUCCESS", "FAILURE")
    groups = [t for t in remains.tasks.values() if t["name"] == "waybill.dispatch" and t["state"] in states]
    called = [group for group in groups if re.search(r"\d calls", f"{group['result']} {group['exception']}")]
    assert len(called) > 0
    assert [group for group in called if not group["runtime"]] == []


def test_flower_shows_upkeep_as_a_worker_and_the_store_s_backlog(remains: Remains) -> None:
    workers, queues = remains.places["flower /workers"], remains.places["flower /broker"]
    shown = [part if isinstance(part, bytes) else part.encode() for part in (workers, queues)]
    assert b"upkeep@" in shown[0]
    assert b"Waiting requests" in shown[1]


def test_flower_shows_a_failed_stage_by_the_class_of_its_error(remains: Remains) -> None:
    exceptions = {t["exception"] for t in remains.tasks.values() if t["name"] == "waybill.embed"} - {None}
    assert len(exceptions) > 0
    assert [text for text in exceptions if not re.match(r"StageFailed\(.*ValueError", text, re.DOTALL)] == []
