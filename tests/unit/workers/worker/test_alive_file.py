"""The alive file is touched while the loop of a process turns, and the probe looks at its age."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY
from tests.support.waiting import wait_until
from workers.worker.alive_file import HANGS_AFTER_S, AliveFile, alive_file

PROBE = REPOSITORY / "deploy" / "healthcheck.sh"


def is_healthy(file: Path) -> bool:
    return subprocess.run(["/bin/sh", PROBE, file], capture_output=True).returncode == 0


def test_there_is_no_file_before_the_first_beat(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    alive = AliveFile(file, every_s=0.01)
    assert not is_healthy(file)
    alive.beat()
    wait_until(lambda: is_healthy(file), timeout_s=200)


class Clock:
    """A clock that stands still, and counts how often the thread of an alive file looks at it."""

    def __init__(self) -> None:
        self.now, self.looks = 0.0, 0

    def __call__(self) -> float:
        self.looks += 1
        return self.now

    def await_round(self) -> None:
        """Wait until what the thread saw before is done, and it has looked again."""
        looks = self.looks
        wait_until(lambda: self.looks >= looks + 2, timeout_s=200)


@pytest.mark.parametrize("rests", [False, True])
def test_a_loop_that_hangs_is_seen_and_one_that_rests_is_well(tmp_path: Path, rests: bool) -> None:
    file, clock = tmp_path / "alive", Clock()
    alive = AliveFile(file, every_s=0.01, clock=clock)
    alive.beat()
    wait_until(file.exists, timeout_s=200)
    if rests:
        alive.rest()
    clock.now = HANGS_AFTER_S
    clock.await_round()
    os.utime(file, (0, 0))
    clock.await_round()
    assert is_healthy(file) is rests


def test_a_file_of_a_minute_ago_is_not_healthy(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    file.touch()
    os.utime(file, (time.time() - 61, time.time() - 61))
    assert not is_healthy(file)


def test_without_its_variable_nothing_is_written() -> None:
    assert alive_file({}) is None
    assert alive_file({"WAYBILL_ALIVE_FILE": "/tmp/alive"}) is not None
