"""What Celery and billiard write by themselves, past all loggers, where the log is to be JSON."""

from __future__ import annotations

import os
from typing import Any

from workers.logs.process_log import is_json, say_json

#: from these, billiard sets up a log of its own in a pool process, before Celery sets up that of the worker
_BILLIARD_LOG = ("_MP_FORK_LOGLEVEL_", "_MP_FORK_LOGFILE_", "_MP_FORK_LOGFORMAT_")

_WARNINGS = "PYTHONWARNINGS"


def banner_options() -> list[str]:
    """Return the options of `celery` for the banner, which is no JSON."""
    return ["--quiet"] if is_json() else []


def say_as_chosen(name: str) -> None:
    """Let this worker and its pool processes write nothing but JSON, if that is chosen."""
    if not is_json():
        return
    from celery.apps import worker
    from celery.signals import celeryd_after_setup

    def forget_billiard_log(**_: Any) -> None:
        for variable in _BILLIARD_LOG:
            os.environ.pop(variable, None)

    worker.safe_say = lambda text, *_: say_json(name, text)  # what its signal handlers say
    celeryd_after_setup.connect(forget_billiard_log, weak=False)
    _start_silent_tracker()


def _start_silent_tracker() -> None:
    """Start billiard's process that removes semaphores, so that it warns of none that a killed worker left.

    It outlives this process, knows no log, and removes them in any case.
    """
    from billiard import semaphore_tracker

    own = os.environ.get(_WARNINGS)
    os.environ[_WARNINGS] = ",".join(filter(None, (own, "ignore:semaphore_tracker:UserWarning")))
    try:
        semaphore_tracker.ensure_running()
    finally:
        os.environ.pop(_WARNINGS)
        if own is not None:
            os.environ[_WARNINGS] = own
