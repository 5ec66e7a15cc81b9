"""Size-tiered compaction of the vector cache: which segments to merge, and which to delete.

The functions are pure. `sizes` are the numbers of vectors by segment name, oldest segment first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

FANOUT = 8
"""The number of segments of similar size that are merged into one; a full cache has at least as many."""


def merge_group(sizes: Mapping[str, int], *, max_vectors: int) -> list[str]:
    """Return the FANOUT smallest segments of one tier, to be merged, or nothing.

    A tier holds the segments with sizes between two powers of FANOUT. No segment grows beyond 1/FANOUT of the
    cache, so that deleting the oldest one never empties it.
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
    """Return the logarithm of a size to base FANOUT, rounded down."""
    tier = 0
    while size >= FANOUT:
        size //= FANOUT
        tier += 1
    return tier


def eviction(sizes: Mapping[str, int], *, max_vectors: int) -> list[str]:
    """Return the oldest segments, just enough to bring the cache within `max_vectors`; never the newest."""
    excess = sum(sizes.values()) - max_vectors
    evicted: list[str] = []
    for name in list(sizes)[:-1]:
        if excess <= 0:
            break
        evicted.append(name)
        excess -= sizes[name]
    return evicted
