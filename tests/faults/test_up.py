"""A `waybill up` that is killed leaves nothing behind, and the next one goes on: part of `make faults`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.support.command import COMMAND, assert_exit, waybill
from tests.support.comparisons import assert_fields
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(
    os.environ.get("FAULTS", "quick") == "quick", reason="only with `make faults`"
)
_START_S, _STOP_S = 300.0, 300.0
_PROMPTS = 400


def start(folder: Path, log: str) -> subprocess.Popen[bytes]:
    """Start `waybill up`; returns once it is ready."""
    with (folder / log).open("wb") as stream:
        command = [*COMMAND, "up", "--simulate", "--flaky", "0", "--no-flower"]
        up = subprocess.Popen(command, cwd=folder, stdout=stream, stderr=stream)
    wait_until(lambda: "ready:" in (folder / log).read_text(), timeout_s=_START_S)
    return up


def printed(folder: Path, *arguments: str) -> str:
    """Run a command in this folder; returns what it printed."""
    ended = waybill(*arguments, cwd=folder)
    assert_exit(ended, 0)
    return ended.stdout


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.timeout(1500)
def test_a_killed_stack_leaves_no_process_and_the_next_one_finishes_its_batch(tmp_path: Path) -> None:
    lines = [json.dumps({"id": f"r{n}", "prompt": f"[[sim:latency=1500]] Say {n}."}) for n in range(_PROMPTS)]
    (tmp_path / "batch.jsonl").write_text("\n".join(lines) + "\n")
    up = start(tmp_path, "first.log")
    family = psutil.Process(up.pid).children(recursive=True)
    batch = printed(tmp_path, "submit", "batch.jsonl").strip()
    wait_until(lambda: json.loads(printed(tmp_path, "status", batch, "--json"))["succeeded"], timeout_s=60)
    up.kill()
    up.wait()
    assert json.loads((tmp_path / ".waybill" / "run" / "stack.json").read_text())["pid"] == up.pid
    wait_until(lambda: not alive(family), timeout_s=_STOP_S)
    again = start(tmp_path, "second.log")
    try:
        printed(tmp_path, "status", batch, "--watch")
        state = json.loads(printed(tmp_path, "status", batch, "--json"))
        rows = [json.loads(line) for line in printed(tmp_path, "results", batch).splitlines()]
    finally:
        again.terminate()
        again.wait(_STOP_S)
    assert_fields(state, succeeded=_PROMPTS, failed=0)
    assert sorted(row["custom_id"] for row in rows) == sorted(f"r{n}" for n in range(_PROMPTS))
