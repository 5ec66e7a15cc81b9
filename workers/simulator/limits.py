"""Rate limits of a model: token buckets, which refill steadily and hold at most a minute's units."""

from dataclasses import dataclass, field

_MINUTE_S = 60.0


@dataclass
class TokenBucket:
    """A token bucket: `per_minute` units a minute, and after a pause those of `burst_s` seconds at once."""

    per_minute: int
    burst_s: float = _MINUTE_S
    level: float = field(init=False)
    updated_at: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Start full."""
        self.level = self.capacity

    @property
    def capacity(self) -> float:
        """The units in a full bucket, at least one."""
        return max(1.0, self.per_minute * self.burst_s / _MINUTE_S)

    def wait_s(self, amount: float, now: float) -> float:
        """Return the seconds until the amount may pass; a full bucket lets any amount pass."""
        self._refill(now)
        missing = min(amount, self.capacity) - self.level
        return max(0.0, missing * _MINUTE_S / self.per_minute)

    def take(self, amount: float) -> None:
        """Take an amount that `wait_s` lets pass."""
        self.level -= amount

    def _refill(self, now: float) -> None:
        elapsed = 0.0 if self.updated_at is None else now - self.updated_at
        self.level = min(self.capacity, self.level + elapsed * self.per_minute / _MINUTE_S)
        self.updated_at = now


@dataclass
class RateLimit:
    """The limits of one model on requests and tokens per minute; None is unlimited."""

    rpm: int | None
    tpm: int | None
    burst_s: float = _MINUTE_S

    def __post_init__(self) -> None:
        """Fill the buckets."""
        self._requests = TokenBucket(self.rpm, self.burst_s) if self.rpm else None
        self._tokens = TokenBucket(self.tpm, self.burst_s) if self.tpm else None

    def admit(self, tokens: int, now: float) -> float:
        """Admit a call and return 0, or return the seconds to wait; `now` is monotonic, in seconds."""
        charges = [(self._requests, 1), (self._tokens, tokens)]
        buckets = [(bucket, amount) for bucket, amount in charges if bucket is not None]
        wait = max((bucket.wait_s(amount, now) for bucket, amount in buckets), default=0.0)
        if not wait:
            for bucket, amount in buckets:
                bucket.take(amount)
        return wait
