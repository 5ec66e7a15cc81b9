"""What billiard writes past all loggers: nothing, where the log is one of JSON objects."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

#: the process that is told of a semaphore outlives this one, which ends without taking it back
_KILLED = """
import os
from workers.worker.celery_log import say_as_chosen
say_as_chosen("embed@host-1")
from billiard.semaphore_tracker import register
register("/waybill-left-behind")
print(os.environ.get("PYTHONWARNINGS"), flush=True)
os._exit(1)
"""


@pytest.mark.parametrize(("form", "is_warned"), [("text", True), ("json", False)])
@pytest.mark.parametrize("warnings", [None, "default"])
def test_semaphores_that_a_killed_worker_left_are_no_line_of_a_json_log(
    form: str, is_warned: bool, warnings: str | None
) -> None:
    environment = {**os.environ, "WAYBILL_LOG_FORMAT": form}
    environment.pop("PYTHONWARNINGS", None)
    if warnings is not None:
        environment["PYTHONWARNINGS"] = warnings
    ended = subprocess.run(
        [sys.executable, "-c", _KILLED], env=environment, capture_output=True, text=True, timeout=240
    )
    assert ended.stdout == f"{warnings}\n"
    assert ("leaked semaphores" in ended.stderr) is is_warned
    assert is_warned or ended.stderr == ""
