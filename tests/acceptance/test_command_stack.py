"""`waybill up --simulate`, and the other commands in the same folder, as users run them."""

import base64
import csv
import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import psutil
import pyarrow
import pyarrow.parquet
import pytest

from tests.support.command import COMMAND, assert_exit, waybill
from tests.support.comparisons import assert_fields
from tests.support.holding import Hold
from tests.support.ports import free_port
from tests.support.processes import is_alive
from tests.support.waiting import wait_until
from workers.simulator import SimulatorClient

#: for what a busy machine takes its time to do
WAIT_S = 240.0
CANARY = "canary-prompt-of-the-command"


class Up:
    """A running `waybill up --simulate` and commands in its directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = directory / ".waybill"
        with (directory / "up.log").open("wb") as log:
            command = [*COMMAND, "up", "--simulate", "--flaky", "0"]  # calls are counted
            # Other stacks of this machine start at the same moment, and find the usual ports free as well.
            ports = {f"WAYBILL_{name}__PORT": str(free_port()) for name in ("FLOWER", "API")}
            self.process = subprocess.Popen(
                command, cwd=directory, stderr=log, stdout=log, env={**os.environ, **ports}
            )
        wait_until(lambda: "ready:" in self.output, timeout_s=WAIT_S)

    @property
    def output(self) -> str:
        return (self.directory / "up.log").read_text()

    def __call__(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return waybill(*arguments, cwd=self.directory, stdin=stdin)

    def json(self, *arguments: str) -> dict[str, object]:
        ended = self(*arguments, "--json")
        assert_exit(ended, 0)
        value: dict[str, object] = json.loads(ended.stdout)
        return value

    def write(self, name: str, lines: list[object]) -> str:
        (self.directory / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
        return name

    @property
    def simulator(self) -> SimulatorClient:
        stack = json.loads((self.home / "run" / "stack.json").read_text())
        return SimulatorClient(stack["settings"]["models"][0]["api_base"])

    def child(self, name: str) -> int:
        return int((self.home / "run" / f"{name}.pid").read_text().split()[0])


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    up = Up(tmp_path_factory.mktemp("up"))
    yield up
    family = psutil.Process(up.process.pid).children(recursive=True)
    up.process.terminate()
    assert up.process.wait(WAIT_S) == 0
    assert [one for one in family if is_alive(one)] == []
    assert not (up.home / "run" / "stack.json").exists()


def openai_line(name: str, text: str, **body: object) -> dict[str, object]:
    messages = [{"role": "user", "content": text}]
    return {
        "custom_id": name, "method": "POST", "url": "/v1/chat/completions",
        "body": {"model": "auto", "messages": messages, **body},
    }  # fmt: skip


def test_every_line_of_a_batch_gets_one_valid_result(up: Up) -> None:
    lines = [openai_line(f"r{number}", f"Add {number} and {number}.") for number in range(39)]
    lines.append(openai_line("again", "Add 0 and 0."))
    submitted = up("submit", up.write("batch.jsonl", [*lines]), "--wait")
    assert (submitted.returncode, submitted.stdout.count("\n")) == (0, 1), submitted.stderr
    assert "40 of 40 done" in submitted.stderr

    batch = submitted.stdout.strip()
    written = up("results", batch, "-o", "out.jsonl", "--errors", "errors.jsonl")
    assert_exit(written, 0)
    results = [json.loads(line) for line in (up.directory / "out.jsonl").open()]
    assert [result["custom_id"] for result in results] == [line["custom_id"] for line in lines]
    failed = [r for r in results if r["response"]["status_code"] != 200 or r["error"] is not None]
    assert failed == []
    empty = [r for r in results if not r["response"]["body"]["choices"][0]["message"]["content"]]
    assert empty == []
    assert results[-1]["response"]["body"]["waybill"]["duplicate_of"] == "r0"
    assert (up.directory / "errors.jsonl").read_text() == ""

    state = up.json("status", batch)
    assert_fields(state, done=40, calls=39, calls_saved=1)
    assert state["cost_usd"] > 0
    assert [model["model"] for model in state["models"]] == ["sim-nano"]


def test_bad_lines_are_reported_and_the_others_go_on(up: Up) -> None:
    file = up.write("bad.jsonl", [{"prompt": "Hello"}, {"no": "prompt"}, {"prompt": "Bye", "id": "line-1"}])
    ended = up("submit", file, "--wait", "--json")
    assert_exit(ended, 3)
    assert "line 2" in ended.stderr
    assert "line 3: custom_id was used before" in ended.stderr
    batch = json.loads(ended.stdout)["batch_id"]
    rows = [json.loads(line) for line in up("results", batch).stdout.splitlines()]
    assert [row["error"]["code"] if row["error"] else None for row in rows].count(None) == 1
    refused = up("submit", file, "--strict")
    assert_fields(refused, returncode=1, stdout="")


def test_csv_parquet_text_and_stdin_are_batches_too(up: Up) -> None:
    prompts = ["Name a river.", "Name a lake."]
    with (up.directory / "in.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["prompt"], *([prompt] for prompt in prompts)])
    pyarrow.parquet.write_table(pyarrow.table({"prompt": prompts}), up.directory / "in.parquet")
    (up.directory / "in.txt").write_text("\n".join(prompts) + "\n")
    batches = [up("submit", name).stdout.strip() for name in ("in.csv", "in.parquet", "in.txt")]
    piped = up("submit", "-", "--format", "text", "--wait", stdin="\n".join(prompts))
    assert_exit(piped, 0)
    for batch in (*batches, piped.stdout.strip()):
        assert_exit(up("status", batch, "--watch"), 0)
        assert len(up("results", batch, "--format", "jsonl").stdout.splitlines()) == 2


def test_a_budget_stops_the_batch_and_retry_goes_on_with_a_new_one(up: Up) -> None:
    file = up.write("budget.jsonl", [{"prompt": f"Count to {number}."} for number in range(30)])
    stopped = up("submit", file, "--budget", "0.001", "--wait")
    assert_exit(stopped, 4)
    batch = stopped.stdout.strip()
    state = up.json("status", batch)
    assert state["cost_usd"] <= 0.001
    assert state["failures"] == {"budget_exceeded": state["failed"]}
    again = up("retry", batch, "--budget", "1", "--wait")
    assert_exit(again, 0)
    assert up.json("status", batch)["succeeded"] == 30


def test_a_dry_run_stores_and_calls_nothing(up: Up) -> None:
    file = up.write("dry.jsonl", [{"prompt": "Hello"}, {"prompt": "Hello"}])
    before = up.json("status")
    found = up.json("submit", file, "--dry-run")
    assert_fields(found, requests=2, duplicates=1)
    assert found["mix"]["models"] == {"sim-nano": 1}
    assert "no router" in found["router"]
    assert up.json("status") == before


def test_a_cancelled_batch_ends_with_every_request_accounted_for(up: Up) -> None:
    with Hold(up.simulator) as hold:
        prompts = [{"prompt": f"{hold.marker} Count to {number}."} for number in range(2000)]
        batch = up.json("submit", up.write("long.jsonl", prompts))["batch_id"]
        hold.await_calls(1)
        assert_exit(up("cancel", str(batch)), 0)
    watched = up("status", str(batch), "--watch")
    assert_exit(watched, 3)
    state = up.json("status", str(batch))
    assert state["status"] == "cancelled"
    assert state["cancelled"] + state["succeeded"] == 2000
    assert min(state["cancelled"], state["succeeded"]) > 0


def test_flower_asks_for_a_password_shows_ids_only_and_changes_nothing(up: Up) -> None:
    file = up.write("canary.jsonl", [{"prompt": f"{CANARY} {n}"} for n in range(5)])
    root = next(word for word in up.output.replace(",", " ").split() if word.startswith("http"))
    password = (up.home / "run" / "flower.password").read_text().strip()

    def ask(path: str, *, known: bool, method: str = "GET") -> tuple[int, str]:
        token = base64.b64encode(f"waybill:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {token}"} if known else {}
        try:
            request = Request(root + path, headers=headers, method=method)
            with build_opener(ProxyHandler({})).open(request, timeout=WAIT_S) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def shows_tasks() -> bool:
        """Flower shows the tasks of which it has heard: it may have started after an earlier batch."""
        assert_exit(up("submit", file, "--wait"), 0)
        return "waybill.dispatch" in ask("/api/tasks", known=True)[1]

    wait_until(shows_tasks, timeout_s=WAIT_S)
    assert ask("/api/tasks", known=False)[0] == 401
    assert ask("/tasks", known=False)[0] == 401
    assert CANARY not in ask("/api/tasks", known=True)[1]
    assert ask("/api/worker/shutdown/x", known=True, method="POST")[0] == 403
    assert stat.S_IMODE((up.home / "run" / "flower.password").stat().st_mode) == 0o600


def test_a_killed_worker_comes_back_and_nothing_is_lost(up: Up) -> None:
    first = up.child("route-1")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: up.child("route-1") != first, timeout_s=WAIT_S)
    assert "route-1 ended with signal 9" in up.output
    file = up.write("after.jsonl", [{"prompt": f"Say {number}."} for number in range(20)])
    assert_exit(up("submit", file, "--wait"), 0)


def test_doctor_finds_the_stack_well(up: Up) -> None:
    def alive() -> set[str]:
        """What doctor says of workers, which have a moment to answer."""
        findings = up.json("doctor")["findings"]
        assert [finding for finding in findings if finding["level"] == "fail"] == []
        return {finding["text"] for finding in findings if finding["name"] == "workers"}

    wait_until(lambda: {"embed: 1 alive", "dispatch: 2 alive"} <= alive(), timeout_s=WAIT_S)


def test_a_second_stack_is_refused_and_secrets_are_not_readable_by_others(up: Up) -> None:
    second = up("up", "--simulate")
    assert_exit(second, 1)
    assert "a stack runs in .waybill already" in second.stderr
    for name in ("stack.json", "redis.conf", "redis.password"):
        assert stat.S_IMODE((up.home / "run" / name).stat().st_mode) == 0o600
