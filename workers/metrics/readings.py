"""One reading of the store and of Redis: everything that a scrape shows."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from redis.exceptions import RedisError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from router_core.monitoring.canary import Arm
from tasks.app import queue_names
from tasks.connections import redis_clients
from tasks.limits.overview import ModelLoad, model_loads
from tasks.limits.rates import limits_of
from tasks.settings import Settings
from tasks.store import monitoring, paused_models, process_counters, queues, running_totals
from tasks.store.engine import Store
from tasks.store.health import workers
from tasks.store.routers import canary_stats, roles
from workers.metrics.messages import message_counts

logger = logging.getLogger(__name__)

_REDIS_TIMEOUT_S = 2.0
#: how long the canary's figures are kept: they need the newest decisions
_CANARY_S = 60.0


@dataclass(frozen=True)
class StoreReading:
    """What the store holds."""

    totals: monitoring.Totals
    #: micro-dollars that routing has saved against the best single model, as far as it is counted
    saved_by_routing: int
    depths: Sequence[queues.QueueDepth]
    outbox: monitoring.OutboxLag
    counters: dict[str, float]
    alive: dict[str, int]
    #: seconds until each paused model is called again
    paused: dict[str, float]
    #: by arm; empty while no canary runs
    canary: dict[str, Arm]


@dataclass(frozen=True)
class RedisReading:
    """What Redis holds."""

    messages: dict[str, int] = field(default_factory=dict)
    loads: Sequence[ModelLoad] = ()


class Reader:
    """The reader of both; a part that is down reads as None."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings, self._store = settings, store
        self.queues = queue_names(settings)
        self._canary: tuple[float, dict[str, Arm]] = (-_CANARY_S, {})
        url = settings.redis.url
        self._redis = redis_clients.connect(url, timeout_s=_REDIS_TIMEOUT_S) if url else None

    @property
    def has_redis(self) -> bool:
        """Whether the settings name a Redis."""
        return self._redis is not None

    def store(self) -> StoreReading | None:
        """Read the store."""
        try:
            return self._read_store()
        except SQLAlchemyError as error:
            logger.warning("metrics without the store: %s", type(error).__name__)
            return None

    def redis(self) -> RedisReading | None:
        """Read Redis; without one in the settings, nothing is read."""
        if self._redis is None:
            return None
        try:
            limits = {model.name: limits_of(model) for model in self.settings.models}
            return RedisReading(message_counts(self._redis, self.queues), model_loads(self._redis, limits))
        except (RedisError, OSError) as error:
            logger.warning("metrics without Redis: %s", type(error).__name__)
            return None

    def _read_store(self) -> StoreReading:
        with self._store.read() as connection:
            now = time.time() * 1000
            return StoreReading(
                monitoring.totals(connection),
                running_totals.read(connection, running_totals.ROUTING_SAVED),
                queues.depths(connection),
                monitoring.outbox_lag(connection),
                process_counters.sums(connection),
                workers.alive_by_role(connection),
                {
                    row["model"]: max(row["paused_until"] - now, 0) / 1000
                    for row in paused_models.paused(connection)
                },
                self._arms(connection),
            )

    def _arms(self, connection: Connection) -> dict[str, Arm]:
        read_at, known = self._canary
        if time.monotonic() - read_at < _CANARY_S:
            return known
        running = canary_stats.read(connection)
        found = {roles.CANARY: running.canary, roles.CHAMPION: running.champion} if running else {}
        self._canary = (time.monotonic(), found)
        return found
