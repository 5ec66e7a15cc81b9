"""Rate limits per model, shared by every worker: requests and tokens per minute, and calls in flight."""

from tasks.limits.memory import MemoryLimiter
from tasks.limits.redis import RedisLimiter
from tasks.limits.values import Grant, Limiter, Limits

__all__ = ["Grant", "Limiter", "Limits", "MemoryLimiter", "RedisLimiter"]
