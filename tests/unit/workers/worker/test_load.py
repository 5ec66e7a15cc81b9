"""What a worker says of its load: its own process and those that it has started."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from workers.worker import load
from workers.worker.load import LoadMeter

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")


def test_memory_and_processors_are_those_of_a_process_and_its_children() -> None:
    meter = LoadMeter(os.getpid())
    alone = meter.read()
    assert alone is not None
    assert alone.cpu is None, "nothing is known of the time before"
    script = (
        "import os; x = bytearray(50_000_000)\n"
        "while os.times().user < 0.2: pass\n"
        "print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        family = meter.read()
        child.kill()
    assert family is not None
    assert family.memory_bytes > alone.memory_bytes + 40_000_000
    assert family.cpu is not None
    assert family.cpu > 0


def test_where_the_operating_system_does_not_tell_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]
) -> None:
    monkeypatch.setattr(load, "_PROC", tmp_path)
    assert LoadMeter(os.getpid()).read() is None
