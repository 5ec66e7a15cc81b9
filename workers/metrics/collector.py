"""The collector: it reads the store and Redis when Prometheus asks, at most once in a few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tasks.settings import Settings
from tasks.store.engine import Store
from workers.metrics import counted, from_redis, from_store
from workers.metrics.readings import Reader

#: readings are not repeated sooner, however many ask
MIN_AGE_S = 2.0


class WaybillCollector(Collector):
    """All metrics of a Waybill; one reading serves everyone who asks at about the same time."""

    def __init__(self, reader: Reader, *, min_age_s: float = MIN_AGE_S) -> None:
        self._reader, self._min_age_s = reader, min_age_s
        self._lock = threading.Lock()
        self._metrics: list[Metric] = []
        self._read_at = -min_age_s

    def describe(self) -> Iterable[Metric]:
        """Return nothing: a registry need not read the store to take this collector."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Return all metrics."""
        with self._lock:
            if time.monotonic() - self._read_at >= self._min_age_s:
                self._metrics = list(self._read())
                self._read_at = time.monotonic()
            return self._metrics

    def _read(self) -> Iterator[Metric]:
        started = time.monotonic()
        stored, redis = self._reader.store(), self._reader.redis()
        up = GaugeMetricFamily(
            "waybill_up", "Whether the store and Redis could be read (1) or not (0).", labels=["part"]
        )
        up.add_metric(["store"], float(stored is not None))
        if self._reader.has_redis:
            up.add_metric(["redis"], float(redis is not None))
        yield up
        if stored is not None:
            yield from from_store.metrics(stored, self._reader.queues)
            yield from counted.metrics(stored.counters)
        if redis is not None:
            yield from from_redis.metrics(redis)
        seconds = GaugeMetricFamily("waybill_reading_seconds", "How long this reading took.")
        seconds.add_metric([], time.monotonic() - started)
        yield seconds


class Exposition:
    """The text of `/metrics`."""

    def __init__(self, settings: Settings, store: Store, *, min_age_s: float = MIN_AGE_S) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(WaybillCollector(Reader(settings, store), min_age_s=min_age_s))

    def text(self) -> bytes:
        """Return the metrics in Prometheus's text format."""
        return generate_latest(self._registry)
