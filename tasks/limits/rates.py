"""A provider's limits for a model, and the share of them that is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.settings import ModelSettings

#: The share of the allowed rate that is used. Network delays bunch calls together, and a provider counts
#: calls as they arrive: at 100 % each such bunch would cause responses with status 429.
HEADROOM = 0.97
#: The seconds of unused rate that an idle model saves up: enough to bridge the time between two `acquire`
#: calls, and too little to exceed a provider's limit per minute (0.97 of a minute plus half a second).
BURST_S = 0.5


@dataclass(frozen=True, slots=True)
class Limits:
    """A provider's limits for a model: requests and tokens per minute, calls in flight; None is unlimited."""

    rpm: int | None = None
    tpm: int | None = None
    max_concurrency: int | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a limit that would never allow a call."""
        for name in ("rpm", "tpm", "max_concurrency"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be positive, not {value}")

    @property
    def request_interval_us(self) -> float:
        """The microseconds between two requests; 0 is unlimited."""
        return _interval_us(self.rpm)

    @property
    def request_burst_us(self) -> float:
        """The burst tolerance of GCRA: the microseconds by which a request may be early."""
        # The request that fills the burst counts too, so a burst of one request has no tolerance.
        return max(0.0, BURST_S * 1e6 - self.request_interval_us)

    @property
    def token_interval_us(self) -> float:
        """The microseconds between two tokens; 0 is unlimited."""
        return _interval_us(self.tpm)


def limits_of(model: ModelSettings) -> Limits:
    """Return the limits that a model's settings name."""
    return Limits(rpm=model.rpm, tpm=model.tpm, max_concurrency=model.max_concurrency)


def _interval_us(per_minute: int | None) -> float:
    return 60e6 / (per_minute * HEADROOM) if per_minute else 0.0
