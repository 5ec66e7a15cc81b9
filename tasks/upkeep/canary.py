"""The canary monitor: it rolls a canary back when it does worse than the champion."""

from __future__ import annotations

import logging
import math
import time

from router_core.monitoring.canary import SampleStats, detect_regression
from tasks.learning.off_policy_log import arm_scores
from tasks.store.engine import Store
from tasks.store.routers import canary_stats, roles
from tasks.store.routers.roles import Roles

logger = logging.getLogger(__name__)

#: the interval at which judged scores are read: estimating the reliability of all judges takes a while
SCORES_S = 60.0
#: how long the estimates may take between two statements
SCORES_IDLE_S = 600.0


class CanaryMonitor:
    """The comparison of the running canary with the champion; any number of processes may run it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._measured_roles: Roles | None = None
        self._measured_at = -math.inf

    def check(self) -> None:
        """Compare the canary with the champion, and roll it back if it does worse."""
        with self._store.read() as connection:
            current = roles.read(connection)
        if current.canary is None:
            return
        if current != self._measured_roles or time.monotonic() - self._measured_at > SCORES_S:
            self._measure_quality(current)
        with self._store.read() as connection:
            running = canary_stats.read(connection)
        reason = detect_regression(running.canary, running.champion) if running else None
        if running is None or reason is None:
            return
        version = running.roles.canary
        with self._store.write() as connection:
            roles.roll_back(connection, reason=reason, canary=version)
        logger.warning("canary %s was rolled back: %s", version, reason)

    def _measure_quality(self, current: Roles) -> None:
        """Measure the judged scores of both routers' choices, and store them for all who show them."""
        with self._store.read(idle_s=SCORES_IDLE_S) as connection:
            scores = arm_scores(connection, current)
        with self._store.write() as connection:
            samples = {arm: SampleStats.of(values) for arm, values in scores.items()}
            canary_stats.record_judged(connection, current, samples)
        self._measured_roles, self._measured_at = current, time.monotonic()
