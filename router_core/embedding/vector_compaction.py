"""Which segments of a vector cache to merge, and which to drop. Pure decisions.

Sizes are vectors by segment name, oldest segment first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

FANOUT = 8
"""Segments of like size that are merged into one, and the least number that a full cache consists of."""


def merge_group(sizes: Mapping[str, int], *, max_vectors: int) -> list[str]:
    """Return the FANOUT smallest segments of one size class (a power of FANOUT) to merge, or nothing.

    No segment grows beyond 1/FANOUT of the cache, so that dropping the oldest never empties it.
    """
    tiers: dict[int, list[str]] = defaultdict(list)
    for name, size in sorted(sizes.items(), key=lambda item: item[1]):
        tiers[_tier(size)].append(name)
    for tier in sorted(tiers):
        group = tiers[tier][:FANOUT]
        if len(group) == FANOUT and sum(sizes[name] for name in group) <= max_vectors // FANOUT:
            return group
    return []


def _tier(size: int) -> int:
    tier = 0
    while size >= FANOUT:
        size //= FANOUT
        tier += 1
    return tier


def eviction(sizes: Mapping[str, int], *, max_vectors: int) -> list[str]:
    """Return the oldest segments, as few as bring the cache within `max_vectors`, never the newest."""
    excess = sum(sizes.values()) - max_vectors
    dropped: list[str] = []
    for name in list(sizes)[:-1]:
        if excess <= 0:
            break
        dropped.append(name)
        excess -= sizes[name]
    return dropped
