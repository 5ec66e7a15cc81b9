"""Cancelled timers do not accumulate in a worker."""

from __future__ import annotations

import time

import pytest
from celery import Celery
from celery.apps.worker import Worker
from kombu.asynchronous.timer import Timer

from workers.worker.celery_timers import DropCancelledTimers, drop_cancelled_timers


def test_cancelled_timers_are_forgotten_and_the_others_go_off_in_order() -> None:
    timer, fired = Timer(), []
    loop = iter(timer)
    now = time.monotonic()
    entries = [timer.call_at(now - 20 + n, fired.append, (n,)) for n in (7, 3, 9, 1, 5)]
    for entry in (*entries[:2], *(timer.call_after(1500, fired.append) for _ in range(100))):
        entry.cancel()
    drop_cancelled_timers(timer)
    assert len(timer) == 3
    for _ in range(3):
        next(loop)[1]()
    assert fired == [1, 5, 9]


@pytest.mark.filterwarnings("ignore::celery.exceptions.SecurityWarning")  # tests may run as root
def test_a_worker_that_has_the_step_forgets_them_again_and_again() -> None:
    app = Celery("timers", broker="redis://127.0.0.1:1/0")
    app.steps["worker"].add(DropCancelledTimers)
    worker = Worker(app=app, pool="prefork", concurrency=1, loglevel="CRITICAL")
    timer = worker.timer
    for _ in range(2):
        timer.call_after(1500, print).cancel()
        [step] = [event.entry for event in timer._queue if event.entry.args == (timer,)]
        timer._queue[:] = [event for event in timer._queue if event.entry is not step]
        step()
        assert [event.entry for event in timer._queue] == [step]
        step._last_run -= 100
