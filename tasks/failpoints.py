"""Failpoints: places where a test makes a process die, hang or fail; off unless the environment names one.

    WAYBILL_FAILPOINT=after_reserve:kill:3:/tmp/latch

When this process passes `after_reserve` for the third time it kills itself, unless the file exists already:
whoever replaces it does not die again. `3*` stands for every third time and needs no file. Only tests set it
(tests/faults); while it is unset, `reach` returns at once.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from sqlalchemy.exc import OperationalError

from tasks.errors import SettingsError

VARIABLE = "WAYBILL_FAILPOINT"

#: where: a chunk is claimed; calls are reserved and not made; a call is about to be made; it was answered; a
#: transaction has committed; ends of calls are in the store; a task is done, its message not acknowledged;
#: outbox messages are published and not forgotten
PLACES = (
    "after_claim", "after_reserve", "before_send", "after_response", "after_commit", "after_settle",
    "before_ack", "after_publish",
)  # fmt: skip


class LostReply(OperationalError):
    """What a client sees when the connection breaks after its COMMIT."""

    def __init__(self) -> None:
        super().__init__("COMMIT", None, ConnectionError("a failpoint"))


def _raise() -> None:
    raise LostReply


#: how long `pause` takes: longer than the leases and timeouts of tests
PAUSE_S = 10.0
#: how: the process, its Celery parent or its group dies; it exits, freezes, waits; its COMMIT seems to fail
_ACTIONS: dict[str, Callable[[], None]] = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "parent": lambda: os.kill(os.getppid(), signal.SIGKILL),
    "group": lambda: os.killpg(os.getpgid(0), signal.SIGKILL),
    "exit": lambda: os._exit(1),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "pause": lambda: time.sleep(PAUSE_S),
    "error": _raise,
}


@dataclass(slots=True)
class Failpoint:
    """One armed failpoint; counts how often this process has passed it."""

    place: str
    action: str
    number: int
    repeats: bool = False
    latch: str | None = None
    passed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reach(self, place: str) -> None:
        """Act if this is the place and the time."""
        if place != self.place:
            return
        with self.lock:
            self.passed += 1
            due = self.passed % self.number == 0 if self.repeats else self.passed == self.number
            due = due and self._first()
        if due:
            _ACTIONS[self.action]()

    def _first(self) -> bool:
        if self.latch is None:
            return True
        try:
            os.close(os.open(self.latch, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return False
        return True


def parse(text: str) -> Failpoint:
    """Read `PLACE:ACTION:NUMBER[*][:FILE]`; raises SettingsError."""
    place, action, number, latch = [*text.split(":", 3), "", "", ""][:4]
    times = number.removesuffix("*")
    if place not in PLACES or action not in _ACTIONS or not (times.isdecimal() and int(times)):
        raise SettingsError(f"{VARIABLE}: not PLACE:ACTION:NUMBER[*][:FILE] with {', '.join(PLACES)}")
    return Failpoint(place, action, int(times), repeats=number.endswith("*"), latch=latch or None)


def reach(place: str) -> None:
    """Pass a failpoint."""
    armed = _armed()
    if armed is not None:
        armed.reach(place)


@cache
def _armed() -> Failpoint | None:
    text = os.environ.get(VARIABLE)
    return parse(text) if text else None
