"""What protects a model, shared by every worker: rate limits, calls in flight, and a circuit breaker."""

from tasks.limits.interface import BreakerRules, Circuit, Grant, Limiter, Limits, Turn
from tasks.limits.memory import MemoryLimiter
from tasks.limits.redis import RedisLimiter

__all__ = ["BreakerRules", "Circuit", "Grant", "Limiter", "Limits", "MemoryLimiter", "RedisLimiter", "Turn"]
