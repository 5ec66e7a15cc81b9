"""Failpoints: nothing happens unless one is configured, and then once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tasks import failpoints
from tasks.errors import SettingsError

SCRIPT = """
from tasks import failpoints
for n in range(6):
    failpoints.reach("before_send")
    failpoints.reach("after_reserve")
    print(n, flush=True)
"""


def run(failpoint: str | None) -> tuple[int, list[str]]:
    """Return the exit status and the output of a process that reaches two failpoints six times."""
    environment = {"PYTHONPATH": ":".join(sys.path)}
    if failpoint:
        environment[failpoints.VARIABLE] = failpoint
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout.split()


def test_nothing_happens_without_a_configured_failpoint() -> None:
    assert run(None) == (0, list("012345"))


def test_a_process_dies_at_the_named_place_the_named_time_and_once(tmp_path: Path) -> None:
    failpoint = f"after_reserve:kill:3:{tmp_path / 'latch'}"
    assert run(failpoint) == (-9, list("01"))
    assert run(failpoint) == (0, list("012345"))


def test_a_repeated_failure_comes_every_so_often() -> None:
    point = failpoints.parse("after_commit:error:3*")
    failed = []
    for n in range(1, 10):
        try:
            point.reach("after_commit")
        except failpoints.LostReply:
            failed.append(n)
    assert failed == [3, 6, 9]


@pytest.mark.parametrize(
    "text", ["", "after_reserve", "nowhere:kill:1", "after_reserve:dance:1", "after_reserve:kill:0"]
)
def test_a_failpoint_that_is_spelt_wrong_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="WAYBILL_FAILPOINT"):
        failpoints.parse(text)
