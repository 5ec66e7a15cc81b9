"""What Redis holds: messages of the queues, and each model's rate limits and circuit breaker, read only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis

from tasks.limits.interface import Circuit
from tasks.limits.rates import BURST_S
from tasks.settings import ModelSettings

_KEYS = ("requests", "tokens", "open", "trips")


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """How much of its limits a model uses, as shares, and the state of its circuit.

    Attributes:
        used: By limit: requests, tokens or concurrency, as far as the model has it; more than 1 while calls
            wait.
        in_flight: The slots that calls have.
    """

    model: str
    used: dict[str, float]
    in_flight: int
    circuit: Circuit


def message_counts(client: Redis, queues: Sequence[str]) -> dict[str, int]:
    """Return how many messages wait in each queue."""
    pipeline = client.pipeline(transaction=False)
    for queue in queues:
        pipeline.llen(queue)
    return dict(zip(queues, pipeline.execute(), strict=True))


def model_limits(client: Redis, models: Sequence[ModelSettings]) -> list[ModelLimits]:
    """Return the use of each model's limits, in two round trips."""
    seconds, microseconds = client.time()
    now_us = int(seconds) * 1_000_000 + int(microseconds)
    pipeline = client.pipeline(transaction=False)
    for model in models:
        for name in _KEYS:
            pipeline.get(f"limit:{model.name}:{name}")
        pipeline.zcount(f"limit:{model.name}:slots", now_us, "+inf")
    replies = pipeline.execute()
    size = len(_KEYS) + 1
    return [
        _limits_of(model, replies[index * size : (index + 1) * size], now_us)
        for index, model in enumerate(models)
    ]


def _limits_of(model: ModelSettings, replies: Sequence[bytes | int | None], now_us: int) -> ModelLimits:
    requests, tokens, is_open, trips, in_flight = replies
    slots = int(in_flight or 0)
    used = {"concurrency": slots / model.max_concurrency}
    if model.rpm:
        used["requests"] = _ahead_s(requests, now_us) / BURST_S
    if model.tpm:
        used["tokens"] = _ahead_s(tokens, now_us) / BURST_S
    return ModelLimits(model.name, used, slots, _circuit_of(is_open, trips))


def _ahead_s(arrival: bytes | int | None, now_us: int) -> float:
    """Return how far the theoretical arrival time of GCRA is ahead, in seconds."""
    return max(float(arrival) - now_us, 0) / 1e6 if arrival is not None else 0.0


def _circuit_of(is_open: bytes | int | None, trips: bytes | int | None) -> Circuit:
    if is_open is not None:
        return Circuit.OPEN
    if trips is None:
        return Circuit.CLOSED
    return Circuit.HALF_OPEN if int(trips) > 0 else Circuit.ON_HOLD
