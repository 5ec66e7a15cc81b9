"""What protects a model, shared by every worker: rate limits, calls in flight, and a circuit breaker."""

from tasks.limits.memory import MemoryLimiter
from tasks.limits.redis import RedisLimiter
from tasks.limits.values import BreakerRules, Circuit, Grant, Limiter, Limits, Turn

__all__ = ["BreakerRules", "Circuit", "Grant", "Limiter", "Limits", "MemoryLimiter", "RedisLimiter", "Turn"]
