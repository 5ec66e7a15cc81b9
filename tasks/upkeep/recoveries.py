"""The counter of what upkeep recovers."""

from __future__ import annotations

from tasks.monitoring.counters import COUNTERS

RECOVERIES = "recoveries"
#: chunks whose worker lost its lease; chunks whose messages Redis lost
LEASE_EXPIRED, ANNOUNCED_AGAIN = KINDS = ("lease_expired", "announced_again")


def count(kind: str, chunks: int) -> None:
    """Count chunks that were recovered."""
    if chunks:
        COUNTERS.add(RECOVERIES, kind, by=chunks)
