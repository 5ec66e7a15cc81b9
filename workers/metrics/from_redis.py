"""The metrics of Redis: announced messages, rate limits and circuit breakers."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from tasks.limits.interface import Circuit
from workers.metrics.readings import RedisReading

_CIRCUITS = (Circuit.CLOSED, Circuit.OPEN, Circuit.HALF_OPEN, Circuit.ON_HOLD)


def metrics(redis: RedisReading) -> Iterator[Metric]:
    """Return the metrics of a reading."""
    messages = GaugeMetricFamily(
        "waybill_queue_messages", "Messages that announce chunks in Redis.", labels=["queue"]
    )
    for queue, number in sorted(redis.messages.items()):
        messages.add_metric([queue], number)
    yield messages
    used = GaugeMetricFamily(
        "waybill_rate_limit_used_ratio",
        "The share of a model's limit that is used: requests or tokens (of the burst), or concurrency.",
        labels=["model", "limit"],
    )
    flying = GaugeMetricFamily("waybill_calls_in_flight", "Calls in flight.", labels=["model"])
    circuit = GaugeMetricFamily(
        "waybill_circuit_state", "The state of a model's circuit breaker: 1 for the current one.",
        labels=["model", "state"],
    )  # fmt: skip
    for one in redis.loads:
        flying.add_metric([one.model], one.in_flight)
        shares = {"requests": one.requests, "tokens": one.tokens, "concurrency": one.slots}
        for limit, share in shares.items():
            if share is not None:
                used.add_metric([one.model, limit], share)
        for state in _CIRCUITS:
            circuit.add_metric([one.model, state.name.lower()], float(one.circuit is state))
    yield from (used, flying, circuit)
