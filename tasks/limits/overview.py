"""The state of the limits and circuits of models in Redis, read for people: nothing is taken or changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from redis import Redis

from tasks.limits.interface import Circuit
from tasks.limits.rates import BURST_S, Limits


@dataclass(frozen=True, slots=True)
class ModelLoad:
    """How much of its limits a model uses now, as shares, None where there is no such limit.

    A share of the requests or tokens is more than 1 while calls wait.

    Attributes:
        requests: The share of the requests that may be sent at once.
        tokens: The share of the tokens.
        in_flight: The calls in flight.
        slots: The share of the calls that may be in flight.
        circuit: The state of its circuit.
        wait_s: The seconds until it may be called again; 0 where it may be called now.
    """

    model: str
    requests: float | None
    tokens: float | None
    in_flight: int
    slots: float | None
    circuit: Circuit
    wait_s: float


def model_loads(client: Redis, limits: Mapping[str, Limits]) -> list[ModelLoad]:
    """Return the load of each of these models; Redis errors propagate."""
    seconds, micros = client.time()
    pipe = client.pipeline(transaction=False)
    for model in limits:
        for part in ("requests", "tokens", "trips"):
            pipe.get(f"limit:{model}:{part}")
        pipe.zcount(f"limit:{model}:slots", seconds * 1_000_000 + micros, "+inf")
        for part in ("pause", "open"):
            pipe.pttl(f"limit:{model}:{part}")
    replies = iter(pipe.execute())
    now_us = seconds * 1_000_000 + micros
    return [_load(model, own, now_us, [next(replies) for _ in range(6)]) for model, own in limits.items()]


def _load(model: str, own: Limits, now_us: int, replies: list[object]) -> ModelLoad:
    requests, tokens, trips, in_flight, paused_ms, open_ms = replies
    busy = int(str(in_flight))
    wait_ms = max(int(str(paused_ms)), int(str(open_ms)), 0)
    return ModelLoad(
        model,
        _used(requests, now_us) if own.rpm else None,
        _used(tokens, now_us) if own.tpm else None,
        busy,
        busy / own.max_concurrency if own.max_concurrency else None,
        _circuit(trips, int(str(open_ms))),
        wait_ms / 1000,
    )


def _used(arrival: object, now_us: int) -> float:
    """Return the share of a rate that is used, from the theoretical arrival time of GCRA."""
    at = float(arrival) if isinstance(arrival, bytes | str) else 0.0
    return max(0.0, at - now_us) / (BURST_S * 1e6)


def _circuit(trips: object, open_ms: int) -> Circuit:
    """Return the state of a circuit by its keys, as acquire.lua does."""
    count = int(trips) if isinstance(trips, bytes | str) else 0
    if open_ms > 0:
        return Circuit.OPEN
    return Circuit.HALF_OPEN if count > 0 else Circuit.ON_HOLD if count < 0 else Circuit.CLOSED
