"""The loops of the upkeep role. Any number of them may run: every step re-checks what it found."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Collection

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from tasks.app import create_app
from tasks.settings import Settings
from tasks.store import chunks, outbox, sweep, unconfigured_models
from tasks.store.engine import Store, now_ms
from tasks.store.learning import exploration
from tasks.store.schema import ensure_schema
from tasks.upkeep.canary import CanaryMonitor
from tasks.upkeep.publisher import Publisher

logger = logging.getLogger(__name__)

#: messages per relay transaction; a full one is followed by another at once
RELAY_LIMIT = 500
DOWN_S = 1.0
#: how often a canary is compared with the champion
CANARY_S = 5.0


def run_upkeep(settings: Settings, stop: threading.Event) -> None:
    """Run relay, regrouping and sweeper until `stop` is set."""
    store = Store(settings.store_url)
    ensure_schema(store)  # upkeep may be the first to meet an empty store
    publisher = Publisher(create_app(settings), settings)
    upkeep, names = settings.upkeep, [model.name for model in settings.models]
    loops = [
        threading.Thread(target=_relay, args=(store, publisher, upkeep.relay_s, stop)),
        # As often as the relay looks: the end of a batch waits for the requests that are tried again.
        threading.Thread(target=_repeat, args=(lambda: sweep.regroup(store), upkeep.relay_s, stop)),
        threading.Thread(
            target=_repeat, args=(Sweeper(store, upkeep.lease_s, models=names).sweep, upkeep.sweep_s, stop)
        ),
        threading.Thread(
            target=_repeat,
            args=(lambda: _recover(store, publisher, upkeep.republish_s), upkeep.republish_s / 2, stop),
        ),
        threading.Thread(target=_repeat, args=(CanaryMonitor(store).check, CANARY_S, stop)),
    ]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()
    store.close()


def _repeat(step: Callable[[], object], every_s: float, stop: threading.Event) -> None:
    """Run a step again and again, each time after a pause."""

    def run() -> float:
        step()
        return every_s

    _run_loop(run, stop)


def _run_loop(step: Callable[[], float], stop: threading.Event) -> None:
    """Run a step again and again; it returns how many seconds to pause."""
    while not stop.is_set():
        try:
            pause_s = step()
        except Exception as error:
            # The store and Redis come back, and what they missed is still in the store. Nor may a surprise
            # end the loop: without it every batch stands still.
            logger.warning("upkeep waits: %s", type(error).__name__)
            pause_s = DOWN_S
        stop.wait(pause_s)


def _relay(store: Store, publisher: Publisher, every_s: float, stop: threading.Event) -> None:
    pace = RelayBackoff(every_s)
    _run_loop(lambda: pace.next_pause(outbox.relay(store, publisher.publish, limit=RELAY_LIMIT)), stop)


class RelayBackoff:
    """How long the relay pauses: a chunk waits for it at each stage, and where one came more will come."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._pause_s = every_s

    def next_pause(self, published: int) -> float:
        """Return the pause after this many messages: none after a full look, then longer and longer."""
        if published == RELAY_LIMIT:
            return 0.0
        self._pause_s = self._every_s / 10 if published else min(2 * self._pause_s, self._every_s)
        return self._pause_s


class Sweeper:
    """Expires leases; after a break it lets workers renew theirs first.

    While the store was down or locked, or the host asleep, nobody could renew; after a jump of the database's
    clock nobody has renewed yet. Expiring at once would charge calls that are still held, and drop answers
    that are already paid for.
    """

    def __init__(self, store: Store, lease_s: float, *, models: Collection[str] = ()) -> None:
        self._store = store
        self._models = models
        self._lease_s = lease_s
        self._patience_s = lease_s / 3
        self._last = (time.time(), math.inf)
        self._expire_from = 0.0

    def sweep(self) -> None:
        """One round."""
        with self._store.read() as connection:
            database = connection.execute(select(now_ms())).scalar_one() / 1000
        # Wall time: the monotonic clock stands still while the host sleeps.
        now = (time.time(), database)
        if any(later - earlier > self._patience_s for earlier, later in zip(self._last, now, strict=True)):
            self._expire_from = now[0] + self._lease_s
        self._last = now
        if now[0] >= self._expire_from:
            self._expire(now[0])
        if self._models:  # without, every model would seem to be gone
            unconfigured_models.reroute(self._store, self._models)
        exploration.close_finished(self._store)

    def _expire(self, now: float) -> None:
        try:
            sweep.expire(self._store, patience_s=self._patience_s)
        except SQLAlchemyError:  # what cannot be written here (a full disk, say) is not renewed elsewhere
            self._expire_from = now + self._lease_s
            raise


def _recover(store: Store, publisher: Publisher, after_s: float) -> None:
    with store.read() as connection:
        queues = list(chunks.backlog(connection))
    lost = sweep.republish(store, publisher.waiting(queues), after_s=after_s) if queues else 0
    if lost:
        logger.info("announced %d chunks again: no message waits for them in Redis", lost)
