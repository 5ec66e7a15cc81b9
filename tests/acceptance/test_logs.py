"""The log of every process: all its lines have the chosen form, from the first to the last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import start_api
from tests.support.flower import Flower
from tests.support.stack import Stack
from tests.support.waiting import wait_until
from workers.simulator import SimulatorProcess, default_config

TOKEN = {"WAYBILL_METRICS_TOKEN": "token"}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, router: Path) -> dict[str, str]:
    """The logs of all processes of a run with failures, all of which were then ended by SIGTERM."""
    settings = {"router": {"path": str(router)}, "dispatch": {"drain_s": 5.0}}
    with (
        SimulatorProcess(default_config()) as simulator,
        Stack(
            tmp_path_factory.mktemp("logs"),
            simulator=simulator,
            settings=settings,
            environment={"WAYBILL_LOG_FORMAT": "json", **TOKEN},
        ) as stack,
    ):
        metrics = stack.run("metrics", "--port", "0")
        workers = [stack.start(role) for role in ("embed", "route", "judge")]
        workers.append(stack.start("dispatch", "--loglevel", "debug"))
        stack.start("upkeep")
        start_api(stack)
        Flower(stack, "somebody:secret").await_events(workers=len(workers))
        stack.await_ready(*workers)
        texts = [*(f"question {n}" for n in range(9)), "[[sim:status=400]] no", "[[sim:status=500]] no"]
        stack.wait(stack.submit(texts))
        wait_until(lambda: "http://" in metrics.log.read_text(), timeout_s=240)
        refused = stack.start("route", environment={"WAYBILL_REDIS__URL": "mysql://x"})
        assert refused.process.wait(240) == 1
        for one in stack.workers:
            if one is not refused:
                one.terminate()
        return stack.logs()


def lines_of(log: str) -> list[dict[str, Any]]:
    """Return the lines of a log; raises ValueError at one that is no JSON object."""
    return [dict(json.loads(line)) for line in log.splitlines()]


def test_every_line_of_every_process_is_an_object_where_json_is_chosen(ended: dict[str, str]) -> None:
    faults = []
    for name, log in ended.items():
        assert log or name.endswith("upkeep"), name  # upkeep says nothing while nothing is wrong
        for line in log.splitlines():
            try:
                assert {"time", "level", "event", "message", "worker"} <= json.loads(line).keys()
            except (ValueError, AssertionError):
                faults.append(f"{name}: {line}")
    assert faults == []
