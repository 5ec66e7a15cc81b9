"""What Celery and billiard write by themselves, past all loggers, where the log is to be JSON."""

from __future__ import annotations

import os
from typing import Any

from workers.logs.process_log import is_json, say_json

#: from these, billiard sets up a log of its own in a pool process, before Celery sets up that of the worker
_BILLIARD_LOG = ("_MP_FORK_LOGLEVEL_", "_MP_FORK_LOGFILE_", "_MP_FORK_LOGFORMAT_")


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
