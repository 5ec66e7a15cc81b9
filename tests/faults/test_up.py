"""A `waybill up` that is killed leaves nothing behind, and the next one goes on: part of `make faults`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.comparisons import assert_fields

pytestmark = pytest.mark.skipif(
    os.environ.get("FAULTS", "quick") == "quick", reason="only with `make faults`"
)
_START_S, _STOP_S = 90.0, 120.0
_PROMPTS = 400


def until(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def start(folder: Path, log: str) -> subprocess.Popen[bytes]:
    """Run it until it says that it is ready."""
    with (folder / log).open("wb") as stream:
        command = [sys.executable, "-m", "workers.cli", "up", "--simulate", "--no-flower"]
        up = subprocess.Popen(command, cwd=folder, stdout=stream, stderr=stream)
    until(lambda: "ready:" in (folder / log).read_text(), _START_S)
    return up


def waybill(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "workers.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=True).stdout


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.timeout(420)
def test_a_killed_stack_leaves_no_process_and_the_next_one_finishes_its_batch(tmp_path: Path) -> None:
    lines = [json.dumps({"id": f"r{n}", "prompt": f"[[sim:latency=1500]] Say {n}."}) for n in range(_PROMPTS)]
    (tmp_path / "batch.jsonl").write_text("\n".join(lines) + "\n")
    up = start(tmp_path, "first.log")
    family = psutil.Process(up.pid).children(recursive=True)
    batch = waybill(tmp_path, "submit", "batch.jsonl").strip()
    until(lambda: json.loads(waybill(tmp_path, "status", batch, "--json"))["succeeded"] > 0, 60)
    up.kill()
    up.wait()
    assert json.loads((tmp_path / ".waybill" / "run" / "stack.json").read_text())["pid"] == up.pid
    until(lambda: not alive(family), _STOP_S)
    again = start(tmp_path, "second.log")
    try:
        waybill(tmp_path, "status", batch, "--watch")
        state = json.loads(waybill(tmp_path, "status", batch, "--json"))
        rows = [json.loads(line) for line in waybill(tmp_path, "results", batch).splitlines()]
    finally:
        again.terminate()
        again.wait(_STOP_S)
    assert_fields(state, succeeded=_PROMPTS, failed=0)
    assert sorted(row["custom_id"] for row in rows) == sorted(f"r{n}" for n in range(_PROMPTS))
