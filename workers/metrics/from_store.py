"""The metrics of the store: batches, requests, money, queues, workers and the canary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.store.queues import QueueDepth
from workers.metrics.readings import StoreReading

#: the queue of chunks whose model is no longer in the settings
OTHER = "other"
_STATES = ("ingesting", "in_progress", "paused", "cancelling", "completed", "cancelled")
_ROLES = ("embed", "route", "judge", "dispatch", "upkeep")
#: counters of batches that only grow, and what they count
_COUNTERS = {
    "waybill_duplicate_requests": ("duplicates", "Requests that share the call of an equal one."),
    "waybill_reused_answers": ("reused", "Requests that were answered from earlier batches."),
    "waybill_invalid_lines": ("invalid", "Lines of input that could not be read."),
    "waybill_embedded_requests": ("embedded", "Requests that were embedded."),
    "waybill_embedding_cache_hits": ("cache_hits", "Embeddings that were found in the vector cache."),
    "waybill_routed_requests": ("routed", "Requests that were routed."),
    "waybill_pairwise_decisions": ("fallbacks", "Requests that the pairwise classifier decided."),
    "waybill_invalid_answers": ("invalid_answers", "Answers that do not fit what their request demands."),
    "waybill_repaired_answers": ("repaired", "Answers whose form was repaired."),
    "waybill_repeated_calls": ("asked_again", "Calls for an answer that fits what its request demands."),
}
_MONEY = {
    "waybill_spent_usd": ("spent", "Money charged for calls, in dollars, by the ledger."),
    "waybill_saved_usd": ("saved", "What the calls of reused answers had cost, in dollars."),
}


def metrics(stored: StoreReading, queues: Sequence[str]) -> Iterator[Metric]:
    """Return the metrics of a reading; `queues` are those of the settings."""
    yield from _batches(stored)
    for name, (counter, text) in _COUNTERS.items():
        yield _counter(name, text, stored.totals.counters[counter])
    for name, (counter, text) in _MONEY.items():
        yield _counter(name, text, stored.totals.counters[counter] / MICROS_PER_DOLLAR)
    yield _gauge(
        "waybill_routing_saved_usd",
        "What the best single model would have cost, less what routed requests cost, in dollars, as counted.",
        stored.saved_by_routing / MICROS_PER_DOLLAR,
    )
    yield _gauge(
        "waybill_reserved_usd",
        "Money reserved for calls in flight, in dollars.",
        stored.totals.counters["reserved"] / MICROS_PER_DOLLAR,
    )
    yield _gauge(
        "waybill_budget_used_ratio",
        "The largest share of its budget that an unfinished batch has spent.",
        stored.totals.budget_used,
    )
    yield _gauge(
        "waybill_budget_stops",
        "Requests that ended because the budget was spent. `waybill retry` opens them again.",
        stored.totals.counters["budget_stops"],
    )
    yield from _queues(stored.depths, queues)
    yield _gauge("waybill_outbox_messages", "Messages that are due.", stored.outbox.messages)
    yield _gauge(
        "waybill_outbox_oldest_age_seconds",
        "How long the first message of the outbox is due.",
        stored.outbox.oldest_s,
    )
    yield _labelled(
        "waybill_workers",
        "Workers that are alive, by role, as they told the store in the last minute.",
        "role",
        {**dict.fromkeys(_ROLES, 0), **stored.alive},
    )
    yield _labelled(
        "waybill_model_paused_seconds",
        "How long a model will not be called: its circuit is open, or it is on hold.",
        "model",
        stored.paused,
    )
    yield from _canary(stored)


def _batches(stored: StoreReading) -> Iterator[Metric]:
    totals = stored.totals
    yield _labelled(
        "waybill_batches", "Batches by state.", "state", {**dict.fromkeys(_STATES, 0), **totals.batches}
    )
    ended = {state: totals.counters[state] for state in ("succeeded", "failed", "cancelled")}
    yield _labelled(
        "waybill_requests",
        "Requests: open, of paused batches, or as they ended. `waybill retry` opens failed ones again.",
        "state",
        {"open": totals.open, "paused": totals.paused, **ended},
    )


def _queues(depths: Sequence[QueueDepth], queues: Sequence[str]) -> Iterator[Metric]:
    """Return the backlog of each queue of the settings, and of all others together."""
    found = {depth.queue: depth for depth in depths}
    others = [depth for name, depth in found.items() if name not in queues]
    rows = {name: [found[name]] if name in found else [] for name in queues} | {OTHER: others}
    yield _labelled(
        "waybill_queue_chunks",
        "Chunks that wait for a worker, announced or not.",
        "queue",
        {name: sum(one.waiting for one in of_queue) for name, of_queue in rows.items()},
    )
    yield _labelled(
        "waybill_queue_requests",
        "Requests of the chunks that wait for a worker.",
        "queue",
        {name: sum(one.requests for one in of_queue) for name, of_queue in rows.items()},
    )
    yield _labelled(
        "waybill_queue_held_chunks",
        "Chunks that workers hold.",
        "queue",
        {name: sum(one.claimed for one in of_queue) for name, of_queue in rows.items()},
    )
    yield _labelled(
        "waybill_queue_oldest_age_seconds",
        "How long the oldest chunk of the queue waits for a worker.",
        "queue",
        {name: max((one.oldest_s for one in of_queue), default=0) for name, of_queue in rows.items()},
    )


def _canary(stored: StoreReading) -> Iterator[Metric]:
    arms = stored.canary
    yield _labelled(
        "waybill_canary_requests",
        "Ended requests that are compared, by arm, while a canary runs.",
        "arm",
        {name: arm.failures.n for name, arm in arms.items()},
    )
    yield _labelled(
        "waybill_canary_failure_ratio",
        "The share of them that failed.",
        "arm",
        {name: arm.failures.mean for name, arm in arms.items()},
    )
    yield _labelled(
        "waybill_canary_mean_cost_usd",
        "Their mean cost in dollars.",
        "arm",
        {name: arm.cost.mean for name, arm in arms.items()},
    )
    yield _labelled(
        "waybill_canary_judged_answers",
        "Judged answers that are compared, by arm, while a canary runs.",
        "arm",
        {name: arm.quality.n for name, arm in arms.items()},
    )
    yield _labelled(
        "waybill_canary_mean_score",
        "The mean of their judged scores, 0 to 1, as upkeep measured it last.",
        "arm",
        {name: arm.quality.mean for name, arm in arms.items() if arm.quality.n},
    )


def _counter(name: str, text: str, value: float) -> Metric:
    family = CounterMetricFamily(name, text)
    family.add_metric([], value)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, text)
    family.add_metric([], value)
    return family


def _labelled(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family
