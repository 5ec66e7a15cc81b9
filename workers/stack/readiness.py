"""When a local stack is ready: once a worker of each of its roles has said that it takes work."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping

from sqlalchemy.exc import SQLAlchemyError

from tasks.store.engine import Store
from tasks.store.health import workers
from workers.worker.run import Role

_POLL_S = 0.2
#: how often it is said what is waited for
_TELL_S = 15.0


def roles_not_ready(store: Store, pids: Mapping[str, int]) -> list[str]:
    """Return the roles of which no worker among these programs (names and process ids) takes work yet."""
    try:
        with store.read() as connection:
            alive = {one.name for one in workers.alive(connection)}
    except SQLAlchemyError:
        alive = set()
    host = socket.gethostname()
    by_role: dict[str, list[int]] = {}
    for name, pid in pids.items():
        role = name.partition("-")[0]
        if role in set(Role):
            by_role.setdefault(role, []).append(pid)
    return [
        role
        for role, numbers in by_role.items()
        if not any(f"{role}@{host}-{pid}" in alive for pid in numbers)
    ]


def await_ready(
    missing: Callable[[], list[str]],
    poll: Callable[[], None],
    stop: threading.Event,
    *,
    notify: Callable[[str], None],
) -> bool:
    """Wait until no role is missing, and say now and then which are; returns False if stopped before."""
    told_at = time.monotonic()
    while (roles := missing()) and not stop.is_set():
        # No wait on the event: a signal handler that sets it meanwhile would wait for itself.
        time.sleep(_POLL_S)
        poll()
        if time.monotonic() - told_at >= _TELL_S:
            told_at = time.monotonic()
            notify(f"waiting for: {', '.join(roles)}")
    return not stop.is_set()
