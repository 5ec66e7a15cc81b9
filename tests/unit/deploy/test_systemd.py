"""The systemd unit restarts what dies, and gives a worker the time to drain."""

from __future__ import annotations

import pytest

from tasks.settings import DispatchSettings
from tests.support.paths import REPOSITORY
from workers.worker.run import STOP_MARGIN_S

UNIT = REPOSITORY / "deploy" / "systemd" / "waybill-worker@.service"


@pytest.fixture
def unit() -> dict[str, str]:
    lines = [line for line in UNIT.read_text().splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_a_worker_that_ends_in_any_way_is_started_again(unit: dict[str, str]) -> None:
    assert (unit["Restart"], unit["StartLimitIntervalSec"]) == ("always", "0")


def test_a_worker_has_the_time_to_drain_before_it_is_killed_with_its_pool(unit: dict[str, str]) -> None:
    assert float(unit["TimeoutStopSec"]) > DispatchSettings().drain_s + STOP_MARGIN_S
    assert unit["KillMode"] == "mixed"


def test_a_worker_is_not_root_and_reads_keys_from_a_file_of_its_role(unit: dict[str, str]) -> None:
    assert unit["User"] == "waybill"
    assert unit["EnvironmentFile"] == "-/etc/waybill/%i.env"
    assert unit["ExecStart"].endswith("waybill worker %i")
