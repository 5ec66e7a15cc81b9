"""The systemd units restart what dies, give it the time to end, and are there for every role and Flower."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tasks.settings import DispatchSettings
from tests.support.paths import REPOSITORY
from workers.api.server import DRAIN_S
from workers.worker.run import STOP_MARGIN_S, Role

FOLDER = REPOSITORY / "deploy" / "systemd"
WORKER, SERVER = "waybill-worker@.service", "waybill-server@.service"
#: every process that a Waybill of many hosts consists of, by unit
INSTANCES = [
    *((WORKER, str(role)) for role in Role),
    *((SERVER, one) for one in ("api", "flower", "metrics")),
]


def _values(name: str) -> dict[str, str]:
    lines = [line for line in (FOLDER / name).read_text().splitlines() if "=" in line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("name", [WORKER, SERVER])
def test_what_ends_in_any_way_is_started_again(name: str) -> None:
    unit = _values(name)
    assert (unit["Restart"], unit["StartLimitIntervalSec"]) == ("always", "0")


def test_a_worker_has_the_time_to_drain_before_it_is_killed_with_its_pool() -> None:
    unit = _values(WORKER)
    assert float(unit["TimeoutStopSec"]) > DispatchSettings().drain_s + STOP_MARGIN_S
    assert unit["KillMode"] == "mixed"


def test_a_server_has_the_time_to_answer_before_it_is_killed() -> None:
    assert float(_values(SERVER)["TimeoutStopSec"]) > DRAIN_S


@pytest.mark.parametrize(("name", "command"), [(WORKER, "waybill worker %i"), (SERVER, "waybill %i")])
def test_nothing_is_root_and_each_reads_keys_from_a_file_of_its_own(name: str, command: str) -> None:
    unit = _values(name)
    assert unit["User"] == "waybill"
    assert unit["EnvironmentFile"] == "-/etc/waybill/%i.env"
    assert unit["ExecStart"].endswith(command)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize(("name", "instance"), INSTANCES)
def test_systemd_takes_a_unit_for_every_role_and_flower(tmp_path: Path, name: str, instance: str) -> None:
    command = tmp_path / "waybill"  # it must exist for the verification
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    unit = tmp_path / name.replace("@", f"@{instance}")
    unit.write_text((FOLDER / name).read_text().replace("/opt/waybill/.venv/bin/waybill", str(command)))
    ran = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(ran, capture_output=True, text=True, timeout=300, check=False)
    said = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, said) == (0, []), done.stderr
