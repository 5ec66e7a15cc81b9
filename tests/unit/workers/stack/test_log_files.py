"""The logs of a stack: put aside when they grow, and when a stack starts again."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from workers.stack import log_files, supervisor
from workers.stack.child_process import Program
from workers.stack.supervisor import Supervisor


def _texts(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_a_large_log_is_put_aside_and_the_oldest_is_dropped(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    for text in "12345":
        log.write_text(text * 100)
        assert log_files.rotate_if_large(log, max_bytes=50)
    assert _texts(tmp_path) == {"a.log": "", "a.log.1": "5" * 100, "a.log.2": "4" * 100, "a.log.3": "3" * 100}
    assert stat.S_IMODE((tmp_path / "a.log.1").stat().st_mode) == 0o600


def test_a_small_log_and_one_that_is_gone_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("small")
    assert not log_files.rotate_if_large(tmp_path / "a.log", max_bytes=50)
    assert not log_files.rotate_if_large(tmp_path / "none.log", max_bytes=50)
    assert _texts(tmp_path) == {"a.log": "small"}


def test_a_process_goes_on_in_the_same_log(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    code = "import os\nos.write(1, b'x' * 100)\ninput()\nos.write(1, b'after')"
    with log.open("ab") as stream:
        child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=stream)
    wait_until(lambda: log.stat().st_size == 100, timeout_s=120)
    assert log_files.rotate_if_large(log, max_bytes=50)
    child.communicate(b"\n")
    assert _texts(tmp_path) == {"a.log": "after", "a.log.1": "x" * 100}


def test_a_supervisor_rotates_logs_and_keeps_those_of_the_run_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_LOGS_EVERY_S", 0.0)
    logs = tmp_path / "logs"
    for run in ("first", "second"):
        one = Supervisor(logs=logs, pids=tmp_path / "run", notify=lambda _: None)
        code = f"import time; print({run!r}, flush=True); time.sleep(600)"
        one.start([Program(name="a", command=(sys.executable, "-c", code))])
        wait_until(lambda: (logs / "a.log").read_text() != "", timeout_s=120)
        one.poll()
        one.stop()
    assert _texts(logs) == {"a.log": "second\n", "a.log.1": "first\n"}
    os.truncate(logs / "a.log", log_files.MAX_BYTES + 1)
    one = Supervisor(logs=logs, pids=tmp_path / "run", notify=lambda _: None)
    one.start([Program(name="a", command=(sys.executable, "-c", "import time; time.sleep(600)"))])
    os.truncate(logs / "a.log", log_files.MAX_BYTES + 1)
    one.poll()
    one.stop()
    assert (logs / "a.log").stat().st_size == 0


def test_a_full_disk_leaves_the_older_logs_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    before = {"a.log": "5" * 100, "a.log.1": "4", "a.log.2": "3", "a.log.3": "2"}
    for name, text in before.items():
        (tmp_path / name).write_text(text)
    assert not log_files.rotate_if_large(tmp_path / "a.log", max_bytes=50)
    assert _texts(tmp_path) == before
