"""Rate limits of a model: token buckets that refill steadily and hold a minute's worth, or less."""

from dataclasses import dataclass, field

_MINUTE_S = 60.0


@dataclass
class TokenBucket:
    """Lets `per_minute` units through a minute; after idling, `burst_s` worth of them at once."""

    per_minute: int
    burst_s: float = _MINUTE_S
    level: float = field(init=False)
    updated_at: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Start full."""
        self.level = self.capacity

    @property
    def capacity(self) -> float:
        """What it holds when it is full, one unit at least."""
        return max(1.0, self.per_minute * self.burst_s / _MINUTE_S)

    def wait_s(self, amount: float, now: float) -> float:
        """Seconds until the amount may pass, 0 for now; more than the bucket holds waits till it is full."""
        self._refill(now)
        missing = min(amount, self.capacity) - self.level
        return max(0.0, missing * _MINUTE_S / self.per_minute)

    def take(self, amount: float) -> None:
        """Take what `wait_s` has let pass."""
        self.level -= amount

    def _refill(self, now: float) -> None:
        elapsed = 0.0 if self.updated_at is None else now - self.updated_at
        self.level = min(self.capacity, self.level + elapsed * self.per_minute / _MINUTE_S)
        self.updated_at = now


@dataclass
class RateLimit:
    """Requests and tokens per minute of one model; None is unlimited."""

    rpm: int | None
    tpm: int | None
    burst_s: float = _MINUTE_S

    def __post_init__(self) -> None:
        """Fill the buckets."""
        self._requests = TokenBucket(self.rpm, self.burst_s) if self.rpm else None
        self._tokens = TokenBucket(self.tpm, self.burst_s) if self.tpm else None

    def admit(self, tokens: int, now: float) -> float:
        """0 when the call is let in (and counted), else seconds to wait; `now` is monotonic, in seconds."""
        charges = [(self._requests, 1), (self._tokens, tokens)]
        buckets = [(bucket, amount) for bucket, amount in charges if bucket is not None]
        wait = max((bucket.wait_s(amount, now) for bucket, amount in buckets), default=0.0)
        if not wait:
            for bucket, amount in buckets:
                bucket.take(amount)
        return wait
