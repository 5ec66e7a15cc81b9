"""Checks of the workers: whether one of each role runs, and whether a batch waits for one that does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tasks.settings import Settings
from tasks.store.engine import Store
from tasks.store.health import workers as store_workers
from tasks.store.health.missing import missing_text
from tasks.store.progress import Progress, list_batches
from workers.doctor.finding import Finding, Level
from workers.worker.run import Role

_TIMEOUT_S = 1.5
#: how many of the newest batches are looked at
_BATCHES = 50


def workers(settings: Settings, *, store: bool, redis: bool) -> Iterator[Finding]:
    """Check the workers, by what they say in the store and what they answer through Redis.

    Args:
        settings: The settings.
        store: Whether the store can be reached.
        redis: Whether Redis can be reached.
    """
    alive, waiting = _in_store(settings) if store else ({}, [])
    answering = _answering(settings) if redis else Counter[str]()
    if redis:
        for role in _expected(settings):
            number = answering[role] or alive.get(role, 0)  # a busy one may not answer
            yield _finding(role, number)
    for state in waiting:
        yield Finding("workers", Level.FAIL, f"{state.batch_id}: {missing_text(state.missing_roles)}")


def _expected(settings: Settings) -> list[Role]:
    judges = [Role.JUDGE] if settings.judge.models else []
    return [Role.EMBED, Role.ROUTE, *judges, Role.DISPATCH, Role.UPKEEP]


def _finding(role: Role, number: int) -> Finding:
    if number:
        return Finding("workers", Level.OK, f"{role}: {number} alive")
    return Finding("workers", Level.WARN, f"{role}: none answers", f"`waybill worker {role}`")


def _in_store(settings: Settings) -> tuple[dict[str, int], list[Progress]]:
    """Return the number of workers that are alive by role, and the batches that wait for a missing one."""
    store = Store(settings.store_url)
    try:
        with store.read() as connection:
            newest = list_batches(connection, limit=_BATCHES, loop=True)
            return store_workers.alive_by_role(connection), [one for one in newest if one.missing_roles]
    finally:
        store.close()


def _answering(settings: Settings) -> Counter[str]:
    """Return the number of Celery workers that answer, by role."""
    from tasks.app import create_app

    replies = create_app(settings).control.ping(timeout=_TIMEOUT_S)
    # A node is named role@host-pid.
    return Counter(node.partition("@")[0] for reply in replies for node in reply)
