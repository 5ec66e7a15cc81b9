"""Watching the canary: it is rolled back by itself when it does worse than the champion beside it."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import replace

from router_core.monitoring.canary import Arm, SampleStats, detect_regression
from tasks.learning.off_policy_log import arm_scores
from tasks.store.engine import Store
from tasks.store.routers import canary_stats, roles
from tasks.store.routers.roles import CANARY, CHAMPION, Roles

logger = logging.getLogger(__name__)

#: how often judged scores are read: all verdicts are weighed together, which takes a while
SCORES_S = 60.0


class CanaryMonitor:
    """Compares again and again; any number of processes may do so."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._scores: dict[str, SampleStats] = {}
        self._read_at = -math.inf
        self._of: Roles | None = None

    def check(self) -> bool:
        """Compare once, and roll back if need be. Never more to do at once."""
        with self._store.read() as connection:
            current = roles.read(connection)
            if current.canary is None:
                return False
            tried, champion = canary_stats.arms(connection, current)
        reason = detect_regression(*self._judged(current, tried, champion))
        if reason is None:
            return False
        with self._store.write() as connection:
            roles.roll_back(connection, reason=reason, canary=current.canary)
        logger.warning("canary %s was rolled back: %s", current.canary, reason)
        return False

    def _judged(self, current: Roles, tried: Arm, champion: Arm) -> tuple[Arm, Arm]:
        """Return the arms with what judges said of their answers."""
        if current != self._of or time.monotonic() - self._read_at > SCORES_S:
            with self._store.read() as connection:
                found = arm_scores(connection, current)
            self._scores = {arm: SampleStats.of(values) for arm, values in found.items()}
            self._of, self._read_at = current, time.monotonic()
        return (
            replace(tried, quality=self._scores[CANARY]),
            replace(champion, quality=self._scores[CHAMPION]),
        )
