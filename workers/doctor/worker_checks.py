"""Checks of the workers: whether one of each role runs, and whether a batch waits for one that does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tasks.settings import Settings
from tasks.store.batch_progress import Progress
from tasks.store.engine import Store
from tasks.store.health import workers as store_workers
from tasks.store.health.missing import missing_text
from tasks.store.health.redis_refusals import refused_text
from tasks.store.progress import list_batches
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
    alive, refused, waiting = _in_store(settings) if store else (Counter(), (), [])
    answering = _answering(settings) if redis else None
    # Without Redis, the store alone tells; a file at which nobody works needs a stack, which its check says.
    if redis or alive or (store and not settings.store_url.startswith("sqlite")):
        for role in _expected(settings):
            number = (answering or Counter())[role] or alive.get(role, 0)  # a busy one may not answer
            is_known = store or (
                answering is not None and role is not Role.UPKEEP
            )  # which is no Celery worker
            yield _finding(role, number if is_known else None)
    if refused:
        yield Finding("workers", Level.FAIL, refused_text(refused))
    for state in waiting:
        yield Finding("workers", Level.FAIL, f"{state.batch_id}: {_missing(state)}")


def _missing(state: Progress) -> str:
    return missing_text(state.missing_roles, lacks_stack=state.lacks_stack)


def _expected(settings: Settings) -> list[Role]:
    judges = [Role.JUDGE] if settings.judge.models else []
    return [Role.EMBED, Role.ROUTE, *judges, Role.DISPATCH, Role.UPKEEP]


def _finding(role: Role, number: int | None) -> Finding:
    if number is None:
        return Finding("workers", Level.WARN, f"{role}: unknown: the store does not answer")
    if number:
        return Finding("workers", Level.OK, f"{role}: {number} alive")
    return Finding("workers", Level.WARN, f"{role}: none answers", f"`waybill worker {role}`")


def _in_store(settings: Settings) -> tuple[Counter[str], tuple[str, ...], list[Progress]]:
    """Return how many workers are alive by role, those that Redis refuses, and the batches that lack one."""
    store = Store(settings.store_url)
    try:
        with store.read() as connection:
            newest = list_batches(connection, limit=_BATCHES, loop=True)
            alive = store_workers.alive(connection)
            refused = tuple(one.name for one in alive if one.is_refused)
            waiting = [one for one in newest if one.missing_roles]
            return Counter(one.role for one in alive), refused, waiting
    finally:
        store.close()


def _answering(settings: Settings) -> Counter[str] | None:
    """Return the number of Celery workers that answer, by role; None where Redis lets nobody be asked."""
    from kombu.exceptions import OperationalError
    from redis import RedisError

    from tasks.app import create_app

    try:
        replies = create_app(settings).control.ping(timeout=_TIMEOUT_S)
    except (RedisError, OperationalError):  # its user may not send to workers
        return None
    # A node is named role@host-pid.
    return Counter(node.partition("@")[0] for reply in replies for node in reply)
