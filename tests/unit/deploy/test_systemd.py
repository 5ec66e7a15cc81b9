"""The systemd units restart what dies, give it the time to end, and are there for every role and Flower."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tasks.settings import DispatchSettings
from tests.support.paths import REPOSITORY
from workers.api.server import DRAIN_S
from workers.worker.run import STOP_MARGIN_S, Role

FOLDER = REPOSITORY / "deploy" / "systemd"
WORKER, SERVER, REDIS = "waybill-worker@.service", "waybill-server@.service", "waybill-redis.service"
#: every process that a Waybill of many hosts consists of, by unit
INSTANCES = [
    *((WORKER, str(role)) for role in Role),
    *((SERVER, one) for one in ("api", "flower", "metrics")),
    (REDIS, ""),
]


def _values(name: str) -> dict[str, str]:
    lines = [line for line in (FOLDER / name).read_text().splitlines() if "=" in line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("name", [WORKER, SERVER, REDIS])
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


def test_redis_is_started_with_the_users_of_the_roles_and_its_passwords_from_a_file_of_its_own() -> None:
    unit = _values(REDIS)
    assert unit["ExecStart"].split()[0] == "/opt/waybill/redis/start.sh"
    assert (REPOSITORY / "deploy" / "redis" / "start.sh").exists()
    assert unit["EnvironmentFile"] == "/etc/waybill/services.env"


def test_the_files_of_secrets_that_the_page_makes_are_private_and_give_each_role_its_own_user(
    tmp_path: Path,
) -> None:
    page = (REPOSITORY / "docs" / "hosts.md").read_text()
    [block] = re.findall(r"^    umask 077\n(?:    .*\n)*", page, re.MULTILINE)
    new_env = subprocess.run(
        [REPOSITORY / "deploy" / "new-env.sh"], capture_output=True, text=True, check=True
    )
    (tmp_path / "services.env").write_text(new_env.stdout)
    lines = block.replace("/etc/waybill", str(tmp_path)).replace("editor ", "true ")
    subprocess.run(["sh", "-euc", lines], check=True)
    passwords = dict(line.split("=", 1) for line in new_env.stdout.splitlines())
    for role in (*Role, "flower", "metrics", "cli"):
        file = tmp_path / f"{role}.env"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        values = dict(line.split("=", 1) for line in file.read_text().splitlines())
        password = passwords[f"REDIS_{role.upper()}_PASSWORD"]
        assert values["WAYBILL_REDIS__URL"] == f"redis://{role}:{password}@127.0.0.1:6379/0"
        assert f":{passwords['POSTGRES_PASSWORD']}@" in values["WAYBILL_STORE__URL"]
    assert f"WAYBILL_FLOWER_AUTH={passwords['FLOWER_AUTH']}" in (tmp_path / "flower.env").read_text()
    assert "=redis://metrics:" in (tmp_path / "api.env").read_text()


@pytest.mark.parametrize("name", [WORKER, SERVER])
def test_homes_are_closed_to_other_users(name: str) -> None:
    assert _values(name)["StateDirectoryMode"] == "0700"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize(("name", "instance"), INSTANCES)
def test_systemd_takes_a_unit_for_every_role_and_flower(tmp_path: Path, name: str, instance: str) -> None:
    command = tmp_path / "waybill"  # it must exist for the verification
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    (tmp_path / "start.sh").symlink_to(command)
    unit = tmp_path / name.replace("@", f"@{instance}")
    text = (FOLDER / name).read_text().replace("/opt/waybill/.venv/bin/waybill", str(command))
    unit.write_text(text.replace("/opt/waybill/redis", str(tmp_path)))
    ran = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(ran, capture_output=True, text=True, timeout=300, check=False)
    said = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, said) == (0, []), done.stderr
