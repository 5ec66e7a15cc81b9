"""Structured outputs on real workers: the command, the checking process, the export, and a worker's end."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import psutil

from tests.support.comparisons import assert_batch, assert_fields
from tests.support.invariants import check_batch
from tests.support.processes import is_alive
from tests.support.scripted_server import ScriptedServer
from tests.support.stack import Stack
from tests.support.waiting import wait_until
from workers.simulator import SimulatorProcess

SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA}}
FIT, MISFIT = '{"age": 7}', "seven"
SCRIPTS = {
    "fits": [FIT],
    "fenced": [f"```json\n{FIT}\n```"],
    "at the second call": [MISFIT, FIT],
    "at the next model": [MISFIT, MISFIT, FIT],
    "never": [MISFIT],
}


def command(stack: Stack, *arguments: str) -> str:
    process = stack.run(*arguments)
    process.process.wait(400)
    return process.log.read_text()


def results(stack: Stack, folder: Path, batch_id: str) -> dict[str, dict[str, Any]]:
    command(stack, "results", batch_id, "-o", str(folder / "out.jsonl"))
    lines = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    return {line["custom_id"]: line for line in lines}


def checking_processes(worker: psutil.Process) -> list[psutil.Process]:
    children = worker.children(recursive=True)
    return [one for one in children if "tasks.validation.child" in " ".join(one.cmdline())]


def test_answers_are_checked_by_real_workers_and_leave_no_process_behind(
    tmp_path: Path, simulator: SimulatorProcess
) -> None:
    simulator.client.reset()
    file = tmp_path / "in.jsonl"
    rows = [{"id": prompt, "prompt": prompt, "response_format": FORMAT} for prompt in SCRIPTS]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with ScriptedServer(SCRIPTS) as server:
        models = {
            name: {"api_base": server.url} for name in ("sim-nano", "sim-coder", "sim-writer", "sim-large")
        }
        with Stack(tmp_path / "home", simulator=simulator, models=models) as stack:
            stack.start("upkeep")
            route, dispatch = stack.start("route"), stack.start("dispatch")
            stack.await_ready(route, dispatch)
            printed = command(stack, "submit", str(file), "--wait")
            match = re.search(r"batch_\w+", printed)
            assert match, printed
            batch_id = match[0]
            row = stack.wait(batch_id)
            assert_batch(row, succeeded=4, failed=1, calls=1 + 1 + 2 + 3 + 4, repaired=1)
            check_batch(stack.store, batch_id)
            found = results(stack, tmp_path, batch_id)
            for prompt in SCRIPTS:
                body = found[prompt]["response"]["body"]
                expected = MISFIT if prompt == "never" else FIT
                assert body["choices"][0]["message"]["content"] == expected
            assert_fields(found["never"]["error"], code="invalid_answer")
            assert found["fenced"]["response"]["body"]["waybill"]["repaired"] == ["fences"]
            assert "asked again" in command(stack, "status", batch_id)
            checking = checking_processes(psutil.Process(dispatch.process.pid))
            assert checking
            assert all("API_KEY" not in name for one in checking for name in one.environ())
            dispatch.kill()
            wait_until(lambda: not any(is_alive(one) for one in checking), timeout_s=200)
