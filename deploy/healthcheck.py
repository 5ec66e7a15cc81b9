"""Check the health of the worker with a process id: `healthcheck.py [PID]`, by default 1, a container's own.

A Celery worker must answer a ping through Redis and Flower must answer HTTP. For upkeep, no message that
should have been published long ago may wait in the store's outbox. The role is read from the process's
arguments.
"""

from __future__ import annotations

import http.client
import socket
import sys
from pathlib import Path

TIMEOUT_S = 5.0
#: the relay looks at the outbox several times a second
OVERDUE_MS = 60_000


def main() -> int:
    """Return the exit status, 0 if the process is healthy."""
    pid = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    role = role_of(arguments_of(pid))
    if role == "flower":
        well = flower_answers()
    elif role == "upkeep":
        well = outbox_is_empty()
    else:
        well = worker_answers(f"{role}@{socket.gethostname()}-{pid}")
    return 0 if well else 1


def arguments_of(pid: int) -> list[str]:
    """Return the command line of a process (Linux)."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def role_of(arguments: list[str]) -> str:
    """Return `flower`, or the word after `worker`; raises ValueError if the process is neither."""
    if "flower" in arguments:
        return "flower"
    return arguments[arguments.index("worker") + 1]


def worker_answers(node: str) -> bool:
    """Return whether the worker's main process (not its pool) answers a message through Redis."""
    from tasks.app import create_app
    from tasks.settings import load_settings

    app = create_app(load_settings())
    return bool(app.control.ping(destination=[node], timeout=TIMEOUT_S))


def outbox_is_empty() -> bool:
    """Return whether every message that is due has been published, except those of the last minute."""
    from sqlalchemy import func, select

    from tasks.settings import load_settings
    from tasks.store.engine import Store, now_ms
    from tasks.store.tables import outbox

    overdue = select(func.count()).where(outbox.c.available_at < now_ms() - OVERDUE_MS)
    with Store(load_settings().store_url).read() as connection:
        return connection.execute(overdue).scalar_one() == 0


def flower_answers() -> bool:
    """Return whether Flower answers its health check, which needs no password."""
    from tasks.settings import load_settings

    connection = http.client.HTTPConnection("127.0.0.1", load_settings().flower.port, timeout=TIMEOUT_S)
    connection.request("GET", "/healthcheck")
    return connection.getresponse().status == http.HTTPStatus.OK


if __name__ == "__main__":
    sys.exit(main())
