"""After a run with many failures no prompt, answer or key is found outside the store."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from sqlalchemy import select

from tasks.store.tables import outcome
from tests.support.invariants import check_batch
from tests.support.ports import free_port
from tests.support.redis_monitor import RedisMonitor, redis_contents
from tests.support.secrets import leaks
from tests.support.stack import Stack
from tests.support.waiting import wait_until
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
            environment={KEY_VARIABLE: KEY, "WAYBILL_FLOWER_AUTH": AUTH, "PYTHONPATH": str(home)},
        ) as stack,
    ):
        flower = Flower(stack)
        stack.start("upkeep")
        stack.await_ready(
            stack.start("embed"),
            stack.start("route"),
            stack.start("dispatch", "--loglevel", "debug"),
        )
        flower.await_events(workers=3)
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


class Flower:
    """`waybill flower` behind its password."""

    def __init__(self, stack: Stack) -> None:
        port = free_port()
        self._process = stack.run("flower", "--port", str(port))
        self._root = f"http://127.0.0.1:{port}"
        self._opener = build_opener(ProxyHandler({}))

    def await_events(self, *, workers: int) -> None:
        """Wait until it has events of this many workers: from then on it misses nothing."""
        wait_until(lambda: self._heard() >= workers, timeout_s=200)

    def _heard(self) -> int:
        try:
            return len(json.loads(self.get("/workers?json=1"))["data"])
        except OSError:
            return 0

    def get(self, path: str, *, auth: str | None = AUTH) -> bytes:
        request = Request(self._root + path)
        if auth is not None:
            request.add_header("Authorization", f"Basic {base64.b64encode(auth.encode()).decode()}")
        with self._opener.open(request, timeout=200) as response:
            content: bytes = response.read()
        return content

    def tasks(self) -> dict[str, Any]:
        """The tasks it knows, once the last events have come in: every task has ended."""
        tasks: dict[str, Any] = {}

        def all_ended() -> bool:
            nonlocal tasks
            tasks = json.loads(self.get("/api/tasks?limit=100000"))
            return {task["state"] for task in tasks.values()} <= {"SUCCESS", "FAILURE"}

        wait_until(all_ended, timeout_s=200, every_s=1.0)
        return tasks

    def pages(self) -> dict[str, bytes | str]:
        """Everything it shows."""
        workers = json.loads(self.get("/api/workers?refresh=1"))
        tasks = self.tasks()
        paths = [
            "/",
            "/workers",
            "/tasks",
            "/broker",
            "/metrics",
            "/api/workers",
            "/api/tasks",
            "/api/task/types",
        ]
        paths += ["/api/queues/length", *(f"/worker/{name}" for name in workers)]
        paths += [f"/{kind}/{task}" for kind in ("task", "api/task/info") for task in tasks]
        shown: dict[str, bytes | str] = {f"flower {path}": self.get(path) for path in paths}
        for path in ("/", "/tasks", "/broker", "/api/tasks", "/api/workers"):
            with pytest.raises(HTTPError) as refusal:
                self.get(path, auth=None)
            assert refusal.value.code == 401
            refusal.value.close()
        return shown


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


def test_flower_shows_a_failed_stage_by_the_class_of_its_error(remains: Remains) -> None:
    exceptions = {t["exception"] for t in remains.tasks.values() if t["name"] == "waybill.embed"} - {None}
    assert len(exceptions) > 0
    assert [text for text in exceptions if not re.match(r"StageFailed\(.*ValueError", text, re.DOTALL)] == []
