"""The life of a stack, from its first start to its removal; each test goes on where the one before ended."""

from __future__ import annotations

import json
import re
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from openai import OpenAI
from sqlalchemy import func, select

from tasks.store.learning.tables import verdict
from tasks.store.tables import batch
from tests.compose.compose_stack import PROVIDER_KEY, ComposeStack
from tests.compose.prometheus import ask, has_data, panels, role_of_grafana
from tests.compose.records import check_against_simulator, versions_of
from tests.support.invariants import check_batch
from workers.demo.data.labelled import LABELLED_PATH

PROMPTS, ROUTED = 2_000, 300
#: so slow that 256 calls at once need more than a minute for the batch, however slow the containers are
LATENCY_MS = 10_000
ROUTERS = "/var/lib/waybill/router"
#: panels about what no batch here does
NOTHING_HAPPENED = {"overview: Canary and champion: failed"}

pytestmark = pytest.mark.timeout(600)


def prompts_file(folder: Path, name: str, number: int) -> Path:
    file = folder / f"{name}.jsonl"
    rows = ({"id": f"{name}-{n}", "prompt": f"{name} {n}: what is {n} plus {n % 17}?"} for n in range(number))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def submit(stack: ComposeStack, name: str, number: int, *options: str) -> str:
    file = prompts_file(stack.folder, name, number)
    printed = stack.command("submit", f"/data/{file.name}", *options, files=(file,))
    (batch_id,) = re.findall(r"^batch_\w+$", printed, re.MULTILINE)
    return str(batch_id)


def answered(stack: ComposeStack, batch_id: str, number: int) -> None:
    with stack.store() as store:
        assert check_batch(store, batch_id).outcomes == {"succeeded": number}


def first_batch(stack: ComposeStack) -> tuple[str, int]:
    """Its id, and when it was made, in ms since the epoch."""
    query = select(batch.c.id, batch.c.created_at).order_by(batch.c.no).limit(1)
    with stack.store() as store, store.read() as connection:
        return connection.execute(query).one()


def test_the_whole_stack_becomes_healthy(stack: ComposeStack) -> None:
    stack.up()
    stack.await_health()


def test_doctor_finds_nothing_wrong(stack: ComposeStack) -> None:
    stack.command("doctor")


def test_openais_client_gets_a_batch_answered_through_the_published_port(stack: ComposeStack) -> None:
    key = stack.command("keys", "create", "team-a").splitlines()[-1]
    client = OpenAI(base_url=f"http://127.0.0.1:{stack.environment['API_PORT']}/v1", api_key=key)
    file = stack.folder / "api.jsonl"
    prompts = {"answered": "What is 2 plus 2?", "refused": "[[sim:status=400]] What is 2 plus 2?"}
    lines = (
        {"custom_id": name, "method": "POST", "url": "/v1/chat/completions",
         "body": {"model": "auto", "messages": [{"role": "user", "content": prompt}]}}
        for name, prompt in prompts.items()
    )  # fmt: skip
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with client, file.open("rb") as stream:
        uploaded = client.files.create(file=stream, purpose="batch")
        batch = client.batches.create(
            input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        deadline = time.monotonic() + 120
        while (batch := client.batches.retrieve(batch.id)).status not in ("completed", "failed"):
            assert time.monotonic() < deadline, batch
            time.sleep(0.5)
        assert batch.output_file_id is not None, batch.errors
        assert batch.error_file_id is not None, batch
        found = [client.files.content(one).json() for one in (batch.output_file_id, batch.error_file_id)]
    assert [one["custom_id"] for one in found] == ["answered", "refused"]


def test_a_batch_survives_the_death_of_a_dispatch_container_and_of_redis(stack: ComposeStack) -> None:
    stack.simulator().reset()
    stack.simulator().behave("*", latency_ms=LATENCY_MS)
    batch_id = submit(stack, "survived", PROMPTS)
    stack.up("dispatch", dispatch=3)
    stack.wait(batch_id, until=lambda row: row["succeeded"] > PROMPTS // 20)
    *_, oldest = stack.containers("dispatch")  # it holds calls; the others may have begun a moment ago
    stack.kill(oldest)
    stack.wait(batch_id, until=lambda row: row["succeeded"] > PROMPTS // 5)
    (redis,) = stack.containers("redis")
    stack.kill(redis)
    time.sleep(2)
    assert stack.row(batch_id)["succeeded"] < PROMPTS, "it was killed in mid-batch"
    stack.engine("start", redis)
    stack.simulator().behave("*", latency_ms=100)
    stack.wait(batch_id)
    answered(stack, batch_id, PROMPTS)
    check_against_simulator(stack, batch_id)
    stack.simulator().reset()
    stack.up("dispatch", dispatch=3)


def test_two_routers_are_trained_in_containers_at_once(stack: ComposeStack) -> None:
    def train(name: str, seed: str) -> None:
        arguments = ("train", f"/data/{LABELLED_PATH.name}", "-o", f"{ROUTERS}/{name}", "--seed", seed)
        stack.command(*arguments, files=(LABELLED_PATH,))

    with ThreadPoolExecutor() as pool:
        trainings = [pool.submit(train, name, seed) for name, seed in (("first", "0"), ("second", "7"))]
    for training in trainings:
        training.result()


def test_the_router_that_the_settings_name_routes(stack: ComposeStack) -> None:
    with stack.settings.open("a") as file:
        file.write(f'\n[router]\npath = "{ROUTERS}/first"\n')
    stack.compose("restart", "embed", "route")
    batch_id = submit(stack, "configured", ROUTED)
    stack.wait(batch_id)
    answered(stack, batch_id, ROUTED)
    (version,) = versions_of(stack, batch_id)
    assert version is not None


def test_a_promoted_router_routes_without_a_restart_and_a_rollback_takes_it_back(stack: ComposeStack) -> None:
    first, second = (stack.command("promote", f"{ROUTERS}/{name}") for name in ("first", "second"))
    assert first != second
    promoted = submit(stack, "promoted", ROUTED)
    stack.wait(promoted)
    assert stack.command("promote", "--rollback") == first
    rolled_back = submit(stack, "rolled-back", ROUTED)
    stack.wait(rolled_back)
    for batch_id, version in ((promoted, second), (rolled_back, first)):
        answered(stack, batch_id, ROUTED)
        assert versions_of(stack, batch_id) == {version}


def test_collected_answers_are_judged(stack: ComposeStack) -> None:
    file = prompts_file(stack.folder, "collected", 40)
    printed = stack.command("collect", f"/data/{file.name}", "--share", "0.25", "--wait", files=(file,))
    (collected,) = re.findall(r"^batch_\w+$", printed, re.MULTILINE)
    stack.command("judge", collected, "--budget", "5", "--wait")
    with stack.store() as store, store.read() as connection:
        assert connection.execute(select(func.count()).select_from(verdict)).scalar_one() > 0
    labels = stack.command("labels", "export", "-o", "-")
    assert len(labels.splitlines()) > 0


def test_a_file_that_the_container_may_not_read_is_refused_with_the_user_that_needs_it(
    stack: ComposeStack,
) -> None:
    file = prompts_file(stack.folder, "private", 1)
    file.chmod(stat.S_IRUSR | stat.S_IWUSR)
    printed = stack.command("submit", "/data/private.jsonl", files=(file,), allowed=(1, 2))
    assert "uid 10001" in printed, printed
    assert "Traceback" not in printed


def test_redis_replayed_its_append_only_file_without_an_error(stack: ComposeStack) -> None:
    log = stack.logs("redis")
    assert log.count("Ready to accept connections") >= 2, "it was started again"
    assert [line for line in log.splitlines() if re.search("CRITICAL|NOPERM", line)] == []


def test_prometheus_reaches_what_it_is_to_read_and_evaluates_every_rule(stack: ComposeStack) -> None:
    targets = ask(stack, "targets")["activeTargets"]
    found = {one["labels"]["job"]: (one["health"], one["lastError"]) for one in targets}
    assert found == {"waybill": ("up", "")}
    rules = [rule for group in ask(stack, "rules")["groups"] for rule in group["rules"]]
    assert len(rules) == 11
    assert {rule["name"]: rule["lastError"] for rule in rules if rule["health"] != "ok"} == {}


def test_every_panel_finds_what_happened(stack: ComposeStack) -> None:
    _, began_ms = first_batch(stack)
    empty = {name for name, query in panels("expr") if not has_data(stack, query, since=began_ms / 1000)}
    assert empty == NOTHING_HAPPENED


def test_grafanas_role_reads_a_batch(stack: ComposeStack) -> None:
    batch_id, _ = first_batch(stack)
    password = stack.environment["GRAFANA_POSTGRES_PASSWORD"]
    with stack.store() as store, store.engine.begin() as connection:
        connection.exec_driver_sql(role_of_grafana(password))
    url = f"postgresql://grafana:{password}@{stack.address('postgres')}/waybill"
    with psycopg.connect(url) as connection:
        for name, query in panels("rawSql"):
            found = connection.execute(query.replace("$batch", batch_id).encode()).fetchall()
            assert found, name


def test_no_password_is_in_what_prometheus_and_grafana_show(stack: ComposeStack) -> None:
    shown = json.dumps([ask(stack, path) for path in ("status/config", "status/flags", "targets")])
    shown += stack.logs("metrics", "prometheus", "grafana")
    secrets = {name for name in stack.environment if re.search("PASSWORD|TOKEN", name)}
    assert {name for name in secrets if stack.environment[name] in shown} == set()
    assert PROVIDER_KEY not in shown


def test_at_the_end_every_service_is_healthy_and_none_was_started_again_by_itself(
    stack: ComposeStack,
) -> None:
    stack.await_health()
    restarts = {
        name: stack.inspect(one)["RestartCount"] for name in stack.health() for one in stack.containers(name)
    }
    assert {name: number for name, number in restarts.items() if number} == {}


def test_nothing_is_left_after_down(stack: ComposeStack) -> None:
    stack.down()
    label = f"label=com.docker.compose.project={stack.project}"
    for listed in (("ps", "--all"), ("volume", "ls"), ("network", "ls")):
        assert stack.engine(*listed, "--quiet", "--filter", label) == "", listed
