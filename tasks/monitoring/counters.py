"""The counters of this process: plain sums and histograms by a few bounded labels."""

from __future__ import annotations

import json
import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from functools import cache

#: the part of a histogram's key that is not a bucket
SUM = "sum"
INFINITY = "+Inf"


class Counters:
    """Counts since the last `take`; any thread may add to them.

    Labels are models, queues, codes and the like, never what comes from a batch: their number must not grow.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: defaultdict[tuple[str, ...], float] = defaultdict(float)

    def add(self, name: str, *labels: str, by: float = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._counts[name, *labels] += by

    def observe(self, name: str, *labels: str, value: float, buckets: tuple[float, ...]) -> None:
        """Add a value to a histogram whose buckets end at these values."""
        bucket = _names_of(buckets)[bisect_left(buckets, value)]
        with self._lock:
            self._counts[name, *labels, bucket] += 1
            self._counts[name, *labels, SUM] += value

    def take(self) -> dict[str, float]:
        """Return the counts by key, and begin again at 0."""
        with self._lock:
            counts, self._counts = self._counts, defaultdict(float)
        return {json.dumps(key): value for key, value in counts.items()}

    def put_back(self, counts: Mapping[str, float]) -> None:
        """Add counts that could not be written."""
        with self._lock:
            for key, value in counts.items():
                self._counts[tuple(json.loads(key))] += value


@cache
def _names_of(buckets: tuple[float, ...]) -> tuple[str, ...]:
    return (*map(str, buckets), INFINITY)


def parts_of(key: str) -> tuple[str, ...]:
    """Return the name and the labels of a key that `Counters.take` returned."""
    return tuple(json.loads(key))


#: what this process counts
COUNTERS = Counters()
