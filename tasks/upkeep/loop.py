"""The loops of the upkeep role. Several processes may run them: each step checks again under its lock."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Collection

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from tasks.app import create_app
from tasks.batch_api.ending import expire_overdue
from tasks.connections.services import service_of
from tasks.monitoring.writer import EVERY_S as COUNTERS_S
from tasks.monitoring.writer import CounterWriter
from tasks.processes import process_name
from tasks.settings import Settings
from tasks.store import chunks, outbox, process_counters, sweep, unconfigured_models
from tasks.store.engine import Store, now_ms
from tasks.store.learning import exploration
from tasks.store.schema import ensure_schema
from tasks.store.unlocked import folding
from tasks.upkeep import recoveries
from tasks.upkeep.activity import Activity
from tasks.upkeep.canary import CanaryMonitor
from tasks.upkeep.presence import HEARTBEAT_S, Presence
from tasks.upkeep.publisher import Publisher
from tasks.upkeep.redis_watch import EVERY_S as REDIS_WATCH_S
from tasks.upkeep.redis_watch import RedisWatch
from tasks.upkeep.retention import RETENTION_S, Retention

logger = logging.getLogger(__name__)

#: messages per relay transaction; after a full one, the relay continues without a pause
RELAY_LIMIT = 500
#: after so many looks in a row that found nothing, looks become so many times as rare
IDLE_AFTER, IDLE_FACTOR = 100, 5
#: pause after an error of the store or of Redis
DOWN_S = 1.0
#: the interval at which a canary is compared with the champion
CANARY_S = 5.0


def run_upkeep(settings: Settings, stop: threading.Event, *, beat: Callable[[], None] | None = None) -> None:
    """Run relay, regrouping, sweeper, deadlines, canary monitor and retention until `stop` is set.

    The relay calls `beat` each time that it looks for messages.
    """
    store = Store(settings.store_url, is_worker=True)
    ensure_schema(store)  # upkeep may be the first process to open an empty store
    app = create_app(settings)
    publisher, presence = Publisher(app, settings), Presence(app, store)
    activity = Activity(store, stop, lease_s=settings.upkeep.lease_s)
    counters = CounterWriter(store, process_name(), "upkeep")
    upkeep, names = settings.upkeep, [model.name for model in settings.models]
    retention = Retention(store, settings.retention.days, stop)
    repeated: list[tuple[Callable[[], object], float]] = [
        (Sweeper(store, upkeep.lease_s, models=names).sweep, upkeep.sweep_s),
        (lambda: _recover(store, publisher, upkeep.republish_s), upkeep.republish_s / 2),
        (lambda: expire_overdue(store), upkeep.sweep_s),
        (RedisWatch(store, settings.redis_url).look, REDIS_WATCH_S),
        (CanaryMonitor(store).check, CANARY_S),
        (retention.apply, RETENTION_S),
    ]
    loops = [
        threading.Thread(target=activity.watch),
        threading.Thread(target=_relay, args=(store, publisher, upkeep.relay_s, stop, activity.pause, beat)),
        # As often as the relay: the end of a batch waits for the requests that are retried.
        threading.Thread(target=_regroup, args=(store, upkeep.relay_s, stop, activity.pause)),
        *(threading.Thread(target=_repeat, args=(*one, stop, activity.pause)) for one in repeated),
        # It beats whether there is work or not.
        threading.Thread(target=_repeat, args=(presence.beat, HEARTBEAT_S, stop, stop.wait)),
        threading.Thread(target=_repeat, args=(counters.write, COUNTERS_S, stop, stop.wait)),
    ]
    for loop in loops:
        loop.start()
    logger.info("upkeep is ready")
    for loop in loops:
        loop.join()
    logger.info("upkeep ends")
    presence.leave()
    counters.write()
    store.close()


def _repeat(
    step: Callable[[], object], every_s: float, stop: threading.Event, pause: Callable[[float], object]
) -> None:
    """Run a step repeatedly, with a fixed pause in between."""

    def run() -> float:
        step()
        return every_s

    _run_loop(run, stop, pause)


def _run_loop(step: Callable[[], float], stop: threading.Event, pause: Callable[[float], object]) -> None:
    """Run a step repeatedly; it returns the seconds to pause."""
    while not stop.is_set():
        try:
            pause_s = step()
        except Exception as error:
            # The store and Redis come back, and the work is still in the store. No other error may end the
            # loop either: without it, every batch would stop.
            logger.warning("upkeep waits: %s: %s", service_of(error), type(error).__name__)
            pause_s = DOWN_S
        pause(pause_s)


def _relay(
    store: Store,
    publisher: Publisher,
    every_s: float,
    stop: threading.Event,
    pause: Callable[[float], None],
    beat: Callable[[], None] | None,
) -> None:
    backoff = RelayBackoff(every_s)

    def step() -> float:
        if beat:
            beat()
        return backoff.next_pause(outbox.relay(store, publisher.publish, limit=RELAY_LIMIT))

    _run_loop(step, stop, pause)


def _regroup(store: Store, every_s: float, stop: threading.Event, pause: Callable[[float], None]) -> None:
    backoff = RelayBackoff(every_s)

    def step() -> float:
        return max(backoff.next_pause(min(sweep.regroup(store), 1)), every_s)

    _run_loop(step, stop, pause)


class RelayBackoff:
    """The relay's pause, with exponential backoff while it finds no messages.

    A chunk waits for the relay at each stage, and messages often follow each other, so the pause is short
    after a message and doubles from then on, up to `every_s`; to five times that where there was none for a
    while, so that idle upkeep costs little.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._pause_s = every_s
        self._empty = 0

    def next_pause(self, published: int) -> float:
        """Return the pause in seconds after a relay of this many messages."""
        if published == RELAY_LIMIT:
            return 0.0
        self._empty = 0 if published else self._empty + 1
        longest_s = self._every_s * (IDLE_FACTOR if self._empty > IDLE_AFTER else 1)
        self._pause_s = self._every_s / 10 if published else min(2 * self._pause_s, longest_s)
        return self._pause_s


class Sweeper:
    """The sweeper of expired leases, which first gives workers time to renew theirs after an interruption.

    While the store was down or locked, or the host was asleep, no worker could renew its lease; after a jump
    of the database's clock, none has done so yet. Expiring leases at once would charge calls that are still
    held, and discard answers that are paid for.
    """

    def __init__(self, store: Store, lease_s: float, *, models: Collection[str] = ()) -> None:
        self._store = store
        self._models = models
        self._lease_s = lease_s
        #: workers renew their leases this often
        self._renewal_s = lease_s / 3
        self._last = (time.time(), math.inf)
        self._expire_from = 0.0
        self._proved_at = math.inf

    def sweep(self) -> None:
        """Expire leases, reroute requests of unconfigured models and close finished exploration batches."""
        with self._store.read() as connection:
            database = connection.execute(select(now_ms())).scalar_one() / 1000
        # Wall time, because the monotonic clock stops while the host sleeps.
        now = (time.time(), database)
        if any(later - earlier > self._renewal_s for earlier, later in zip(self._last, now, strict=True)):
            self._expire_from = now[0] + self._lease_s
        self._last = now
        self._prove_writable()
        self._expire()
        if self._models:  # without this check, no models would mean that every model is unconfigured
            unconfigured_models.reroute(self._store, self._models)
        folding.fold_all(self._store)
        process_counters.fold(self._store)
        sweep.wake(self._store)
        exploration.close_finished(self._store)

    def _prove_writable(self) -> None:
        """Note that workers can renew their leases; after a time in which they could not, they get theirs.

        Each time, also while no lease has run out yet: the disk may be full only until one has. The write may
        have waited for the store's lock as long as the workers' renewals did.
        """
        began = min(self._proved_at, time.time())
        sweep.prove_writable(self._store)
        self._proved_at = time.time()
        if self._proved_at - began > self._renewal_s:
            self._expire_from = self._proved_at + self._lease_s

    def _expire(self) -> None:
        """Expire leases, unless workers could not renew theirs lately."""
        try:
            if time.time() >= self._expire_from:
                expired = sweep.expire(self._store, patience_s=self._renewal_s)
                recoveries.count(recoveries.LEASE_EXPIRED, expired)
        except SQLAlchemyError:
            # If this process cannot write (full disk), workers cannot renew leases either.
            self._expire_from = time.time() + self._lease_s
            raise


def _recover(store: Store, publisher: Publisher, after_s: float) -> None:
    with store.read() as connection:
        queues = list(chunks.backlog(connection))
    lost = sweep.republish(store, publisher.waiting(queues), after_s=after_s) if queues else 0
    if lost:
        recoveries.count(recoveries.ANNOUNCED_AGAIN, lost)
        logger.info("announced %d chunks again: no message waits for them in Redis", lost)
