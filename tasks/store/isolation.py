"""Work on one thing after the other, of which one that is broken holds up no other."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from tasks.connections.services import is_of_values

logger = logging.getLogger(__name__)


@contextmanager
def isolated(name: str) -> Iterator[None]:
    """Keep an error of this one thing from what is done after it; a service that is down stops all of it.

    Args:
        name: What it is, for the log: `batch 12`.
    """
    try:
        yield
    except Exception as error:
        if not is_of_values(error):
            raise
        report(name, type(error).__name__)


@lru_cache(maxsize=1000)
def report(name: str, kind: str) -> None:
    """Log that something is passed over, the first time: some work is tried several times a second."""
    logger.error("%s is passed over: %s", name, kind)
