"""The rate limits as values: invalid limits, and the highest rate that the limiter in memory grants."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.limits import Limits, MemoryLimiter
from tasks.limits.rates import BURST_S, HEADROOM


@pytest.mark.parametrize("name", ["rpm", "tpm", "max_concurrency"])
def test_a_limit_that_allows_no_call_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be positive, not 0"):
        Limits(**{name: 0})


@given(
    rpm=st.integers(1, 10_000),
    gaps_s=st.lists(st.floats(0, 20), min_size=1, max_size=40),
    calls=st.integers(1, 30),
)
def test_no_minute_has_more_calls_than_the_limit(rpm: int, gaps_s: list[float], calls: int) -> None:
    assert most_in_a_minute(rpm, gaps_s, calls) <= max(rpm * (HEADROOM + BURST_S / 60), rpm * HEADROOM + 1)


def most_in_a_minute(rpm: int, gaps_s: list[float], calls: int) -> int:
    """Return the most permits in a minute, for `acquire` of `calls` permits after each gap."""
    now = 1_000.0
    limiter = MemoryLimiter(clock=lambda: now)
    starts: list[float] = []
    for gap_s in gaps_s:
        now += gap_s
        grant = asyncio.run(limiter.acquire("model", Limits(rpm=rpm), [0] * calls, lease_s=60))
        starts += [now] * len(grant.slot_ids)
    return max((sum(start <= other < start + 60 for other in starts) for start in starts), default=0)
