"""Watching the canary: it is rolled back by itself when it does worse than the champion beside it."""

from __future__ import annotations

import logging

from router_core.canary import what_got_worse
from tasks.store.engine import Store
from tasks.store.routers import arms, roles

logger = logging.getLogger(__name__)


def watch(store: Store) -> bool:
    """Compare once, and roll back if need be; any number of processes may do so. Never more to do at once."""
    with store.read() as connection:
        current = roles.read(connection)
        if current.canary is None:
            return False
        reason = what_got_worse(*arms.compare(connection, current))
    if reason is None:
        return False
    with store.write() as connection:
        roles.roll_back(connection, reason=reason, canary=current.canary)
    logger.warning("canary %s was rolled back: %s", current.canary, reason)
    return False
