"""The limits of each model, shared by all workers: request and token rates, concurrency, circuit breaker."""

from tasks.limits.interface import (
    BreakerRules,
    Circuit,
    CircuitTransition,
    Grant,
    Limiter,
    Origin,
    Refusal,
)
from tasks.limits.memory import MemoryLimiter
from tasks.limits.rates import Limits
from tasks.limits.redis import RedisLimiter

__all__ = [
    "BreakerRules",
    "Circuit",
    "CircuitTransition",
    "Grant",
    "Limiter",
    "Limits",
    "MemoryLimiter",
    "Origin",
    "RedisLimiter",
    "Refusal",
]
