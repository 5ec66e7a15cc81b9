"""Signals and processes."""

from __future__ import annotations

import subprocess
import sys

from tests.support.paths import REPOSITORY

#: The handler runs while the main thread holds the event's lock, as it does for moments in `wait`.
IN_THE_MIDDLE_OF_A_WAIT = """
import os, signal, threading
from tasks.processes import set_at_signals
stop = threading.Event()
set_at_signals(stop)
with stop._cond:
    os.kill(os.getpid(), signal.SIGTERM)
assert stop.wait(60)
"""


def test_a_signal_in_the_middle_of_a_wait_for_the_event_sets_it() -> None:
    command = [sys.executable, "-c", IN_THE_MIDDLE_OF_A_WAIT]
    subprocess.run(command, cwd=REPOSITORY, check=True, timeout=120)
