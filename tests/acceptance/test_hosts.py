"""The commands of the systemd unit, the Nomad job and the Kubernetes Jobs run a batch, on a host each."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text

from tasks.settings import DispatchSettings
from tests.support.paths import REPOSITORY
from tests.support.stack import Stack
from tests.support.stores import PostgresServer
from workers.simulator import SimulatorProcess, default_config
from workers.worker.run import STOP_MARGIN_S

UNIT = REPOSITORY / "deploy" / "systemd" / "waybill-worker@.service"
NOMAD = REPOSITORY / "deploy" / "nomad" / "waybill.json"
JOBS = REPOSITORY / "deploy" / "jobs" / "batch.yaml"
PAGE = REPOSITORY / "docs" / "hosts.md"


def of_unit(role: str) -> list[str]:
    """Return the arguments of `waybill` in the unit of a role."""
    line = next(line for line in UNIT.read_text().splitlines() if line.startswith("ExecStart="))
    return shlex.split(line.replace("%i", role))[1:]


def nomad_groups() -> dict[str, dict[str, Any]]:
    return {group["Name"]: group for group in json.loads(NOMAD.read_text())["Job"]["TaskGroups"]}


def of_nomad(role: str) -> list[str]:
    (task,) = nomad_groups()[role]["Tasks"]
    return list(task["Config"]["args"])


def jobs() -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one["spec"] for one in yaml.safe_load_all(JOBS.read_text())}


def of_job(name: str) -> list[str]:
    (container,) = jobs()[name]["template"]["spec"]["containers"]
    return list(container["args"])


@pytest.fixture(scope="module")
def stack(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    config = replace(default_config(), latency_scale=0)
    home = tmp_path_factory.mktemp("hosts")
    with (
        SimulatorProcess(config) as simulator,
        Stack(home / "first", simulator=simulator, store_url=postgres.database()) as stack,
    ):
        yield stack


def test_a_batch_runs_through_the_commands_of_all_three(stack: Stack, tmp_path: Path) -> None:
    hosts = iter(range(10))

    def on_a_host(arguments: list[str]) -> Any:
        return stack.run(*arguments, environment={"WAYBILL_HOME": str(tmp_path / f"host-{next(hosts)}")})

    for _ in range(2):
        on_a_host(of_unit("upkeep"))
    workers = [on_a_host(of_nomad("embed")), on_a_host(of_nomad("route"))]
    workers += [on_a_host(of_job("dispatch")) for _ in range(2)]
    stack.await_ready(*workers)
    file = tmp_path / "prompts.jsonl"
    file.write_text("".join(json.dumps({"prompt": f"What is {n} + 1?"}) + "\n" for n in range(60)))
    submit = on_a_host([str(file) if one.endswith(".jsonl") else one for one in of_job("submit")])
    assert submit.process.wait(400) == 0, stack.log_ends()
    with stack.store.read() as connection:
        row = connection.execute(text("SELECT id, succeeded, total FROM batch")).one()
    assert (row.succeeded, row.total) == (60, 60)
    assert workers[-1].terminate() == 0


def test_the_age_of_a_queue_is_one_query(stack: Stack) -> None:
    (query,) = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    with stack.store.write() as connection:
        values = "(1, 'dispatch', 'dispatch.small', 'queued', 1, 0, 0, 0, {at}, NULL)"
        now = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
        assert connection.execute(text(query)).scalar_one() == 0
        began = time.monotonic()
        connection.execute(text(
            "INSERT INTO chunk (batch_no, stage, queue, state, size, epoch, vector_epoch, lease_until,"
            f" published_at, owner) VALUES {values.format(at=f'{now} - 90000')}"
        ))  # fmt: skip
        age_s = connection.execute(text(query)).scalar_one()
        assert 89 < age_s < 91 + time.monotonic() - began
        connection.execute(text("DELETE FROM chunk WHERE queue = 'dispatch.small'"))


def test_workers_have_the_time_to_drain() -> None:
    needed_s = DispatchSettings().drain_s + STOP_MARGIN_S
    for role, group in nomad_groups().items():
        (task,) = group["Tasks"]
        assert task["KillSignal"] == "SIGTERM"
        assert role == "upkeep" or task["KillTimeout"] / 1e9 > needed_s
    assert jobs()["dispatch"]["template"]["spec"]["terminationGracePeriodSeconds"] > needed_s


def test_a_submission_is_not_repeated_and_workers_are() -> None:
    assert (jobs()["submit"]["backoffLimit"], jobs()["dispatch"]["backoffLimit"]) == (0, 1000)
    assert jobs()["submit"]["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize("file", [PAGE, JOBS])
def test_config_maps_of_jobs_are_made_by_commands_that_are_given(file: Path) -> None:
    volumes = [one for job in jobs().values() for one in job["template"]["spec"]["volumes"]]
    mounted = {one["configMap"]["name"] for one in volumes if "configMap" in one}
    assert set(re.findall(r"create configmap (\S+)", file.read_text())) == mounted


@pytest.mark.parametrize("name", ["dispatch", "submit"])
def test_pods_of_jobs_are_restricted(name: str) -> None:
    pod = jobs()[name]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
