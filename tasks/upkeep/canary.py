"""The canary monitor: it rolls a canary back when it does worse than the champion."""

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

#: the interval at which judged scores are read: estimating the reliability of all judges takes a while
SCORES_S = 60.0
#: how long the estimates may take between two statements
SCORES_IDLE_S = 600.0


class CanaryMonitor:
    """The comparison of the running canary with the champion; any number of processes may run it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._scores: dict[str, SampleStats] = {}
        self._scored_roles: Roles | None = None
        self._scored_at = -math.inf

    def check(self) -> None:
        """Compare the canary with the champion, and roll it back if it does worse."""
        with self._store.read() as connection:
            current = roles.read(connection)
            if current.canary is None:
                return
            canary, champion = canary_stats.arms(connection, current)
        reason = detect_regression(*self._with_quality(current, canary, champion))
        if reason is None:
            return
        with self._store.write() as connection:
            roles.roll_back(connection, reason=reason, canary=current.canary)
        logger.warning("canary %s was rolled back: %s", current.canary, reason)

    def _with_quality(self, current: Roles, canary: Arm, champion: Arm) -> tuple[Arm, Arm]:
        """Return the arms with the judged scores of their answers."""
        if current != self._scored_roles or time.monotonic() - self._scored_at > SCORES_S:
            with self._store.read(idle_s=SCORES_IDLE_S) as connection:
                scores = arm_scores(connection, current)
            self._scores = {arm: SampleStats.of(values) for arm, values in scores.items()}
            self._scored_roles, self._scored_at = current, time.monotonic()
        return (
            replace(canary, quality=self._scores[CANARY]),
            replace(champion, quality=self._scores[CHAMPION]),
        )
