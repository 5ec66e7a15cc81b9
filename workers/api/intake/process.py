"""The intake: a process beside the server that checks files, stores requests, ends batches, sends webhooks.

It is a process of its own, so that a file of a million lines does not hold up the requests of others.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from functools import partial

from tasks.batch_api.cleaning import clean, clean_orphans
from tasks.batch_api.ending import end_finished
from tasks.batch_api.validation import Validator
from tasks.files.opening import open_storage
from tasks.processes import process_name, set_at_signals
from tasks.settings import Settings
from tasks.store.engine import Store
from tasks.store.page import figures
from tasks.tracing import start_tracing, stop_tracing
from tasks.webhooks.sender import Sender

logger = logging.getLogger(__name__)

#: seconds between two looks for work
POLL_S = 0.25
_DOWN_S = 1.0
#: seconds between two removals of what nobody needs
CLEAN_S = 30.0
#: seconds between two looks at all files of the storage
ORPHANS_S = 3_600.0
#: of the threads that validate, and of those that end batches, one takes only those with a file of at most
#: this size: small batches pass large ones
THREADS = 3
SMALL_BYTES = 4 << 20


def run_intake(settings: Settings, stop: threading.Event) -> None:
    """Work until `stop` is set."""
    start_tracing(process_name())
    store = Store(settings.store_url)
    storage = open_storage(settings)
    validator, sender = Validator(store, settings, storage), Sender(store, settings)
    steps: list[Callable[[], object]] = [
        lambda: validator.take_one(max_bytes=SMALL_BYTES),
        *[validator.take_one] * (THREADS - 1),
        lambda: end_finished(store, max_bytes=SMALL_BYTES),
        lambda: end_finished(store),
        sender.send_due,
    ]
    threads = [threading.Thread(target=_repeat, args=(step, stop, POLL_S)) for step in steps]
    slow: list[tuple[Callable[[], object], float]] = [
        (partial(clean, store, storage), CLEAN_S),
        (partial(clean_orphans, store, storage), ORPHANS_S),
        (partial(_look, store), figures.LOOK_S),
        (partial(figures.count_one, store), figures.LOOK_S),
    ]
    threads += [threading.Thread(target=_repeat, args=(step, stop, pause)) for step, pause in slow]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop_tracing()
    store.close()


def _look(store: Store) -> None:
    """Note the counters of batches for the page; the next look is not at once, however many changed."""
    figures.look(store)


def _repeat(step: Callable[[], object], stop: threading.Event, pause: float) -> None:
    """Run a step until `stop`, again at once while it finds work."""
    while not stop.is_set():
        try:
            pause_s = 0.0 if step() else pause
        except Exception as error:  # the store comes back, and the work is still there
            logger.warning("intake waits: %s", type(error).__name__)
            pause_s = _DOWN_S
        stop.wait(pause_s)


def main() -> None:
    """Run the intake of the server that started this process, until it ends."""
    from tasks.settings import load_settings
    from workers.api.log import log_to_stderr

    log_to_stderr()
    # Not the parent of this moment: the server may have died while this process started.
    stop, parent = threading.Event(), int(sys.argv[1])
    set_at_signals(stop)
    threading.Thread(target=_stop_with, args=(parent, stop), daemon=True).start()
    run_intake(load_settings(), stop)


def _stop_with(parent: int, stop: threading.Event) -> None:
    while not stop.wait(1.0):
        if os.getppid() != parent:
            stop.set()
