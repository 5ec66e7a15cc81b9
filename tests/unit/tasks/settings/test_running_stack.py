"""Whether a local stack runs: by the process id in its file, and by when that process started."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tasks import processes
from tasks.processes import start_time
from tasks.settings import STACK_FILE, load_settings
from tasks.settings.running_stack import find_running_stack, stack_file_text
from tests.support.comparisons import assert_fields

SETTINGS = {"redis": {"url": "redis://127.0.0.1:1/0"}}
ABOVE_EVERY_PID = 2**22 + 1


def write(home: Path, text: str) -> None:
    file = home / STACK_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_stack_that_runs_is_found_with_its_settings(tmp_path: Path) -> None:
    write(tmp_path, stack_file_text(SETTINGS))
    found = find_running_stack(tmp_path)
    assert found is not None
    assert_fields(found, pid=os.getpid(), settings=SETTINGS)


def test_a_later_process_with_the_same_id_is_not_taken_for_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYBILL_HOME", str(tmp_path))
    write(tmp_path, stack_file_text(SETTINGS))
    assert load_settings().redis.url == SETTINGS["redis"]["url"]
    write(tmp_path, json.dumps({"pid": os.getpid(), "born": "long ago", "settings": SETTINGS}))
    assert find_running_stack(tmp_path) is None
    assert load_settings().redis.url is None


def test_without_a_start_time_the_process_id_alone_decides(tmp_path: Path) -> None:
    for pid, runs in ((os.getpid(), True), (ABOVE_EVERY_PID, False)):
        write(tmp_path, json.dumps({"pid": pid, "settings": SETTINGS}))
        assert (find_running_stack(tmp_path) is not None) is runs


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"pid": "me", "settings": {}}', '{"pid": [], "settings": {}}']
)
def test_a_damaged_file_is_no_stack(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    assert find_running_stack(tmp_path) is None


def test_a_process_that_is_not_there_has_no_start_time() -> None:
    with pytest.raises((FileNotFoundError, ProcessLookupError)):
        start_time(ABOVE_EVERY_PID)


@pytest.mark.skipif(shutil.which("ps") is None, reason="needs ps")
def test_ps_names_the_same_start_time_in_every_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    first = processes._start_time_by_ps(os.getpid())
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert processes._start_time_by_ps(os.getpid()) == first != ""
    with pytest.raises(ProcessLookupError):
        processes._start_time_by_ps(ABOVE_EVERY_PID)
