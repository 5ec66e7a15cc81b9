"""Failpoints: named places where a test can make a process die, hang or fail.

    WAYBILL_FAILPOINT=after_reserve:kill:3:/tmp/latch

With this environment variable, a process kills itself when it reaches `after_reserve` for the third time, and
creates the file first. It does nothing if the file exists, so that the process that replaces it lives on.
`3*` means every third time and needs no file. Only tests set the variable (tests/faults); while it is unset,
`reach` returns at once.
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

#: a chunk is claimed; calls are reserved but not made; a call is about to be made; its response has arrived;
#: a transaction has committed; calls are settled in the store; a task is done but its message is not
#: acknowledged; outbox messages are published but not deleted
PLACES = (
    "after_claim", "after_reserve", "before_send", "after_response", "after_commit", "after_settle",
    "before_ack", "after_publish",
)  # fmt: skip


class LostReply(OperationalError):
    """The error that a client gets when its connection breaks after its COMMIT."""

    def __init__(self) -> None:
        super().__init__("COMMIT", None, ConnectionError("a failpoint"))


def _raise() -> None:
    raise LostReply


#: seconds that `pause` sleeps: longer than the leases and timeouts of tests
PAUSE_S = 10.0
#: kill the process, its Celery parent or its process group; exit, freeze or sleep; make a COMMIT seem to fail
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
    """One configured failpoint, with the number of times that this process has reached it."""

    place: str
    action: str
    number: int
    repeats: bool = False
    latch: str | None = None
    reached: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reach(self, place: str) -> None:
        """Run the action if `place` is this failpoint's and the count is due."""
        if place != self.place:
            return
        with self.lock:
            self.reached += 1
            due = self.reached % self.number == 0 if self.repeats else self.reached == self.number
            due = due and self._create_latch()
        if due:
            _ACTIONS[self.action]()

    def _create_latch(self) -> bool:
        """Create the latch file, if one is set; False if it exists already."""
        if self.latch is None:
            return True
        try:
            os.close(os.open(self.latch, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return False
        return True


def parse(text: str) -> Failpoint:
    """Parse `PLACE:ACTION:NUMBER[*][:FILE]`; raises SettingsError."""
    place, action, number, latch = [*text.split(":", 3), "", "", ""][:4]
    digits = number.removesuffix("*")
    if place not in PLACES or action not in _ACTIONS or not (digits.isdecimal() and int(digits)):
        raise SettingsError(f"{VARIABLE}: not PLACE:ACTION:NUMBER[*][:FILE] with {', '.join(PLACES)}")
    return Failpoint(place, action, int(digits), repeats=number.endswith("*"), latch=latch or None)


def reach(place: str) -> None:
    """Mark a place where a failpoint may act; does nothing unless the environment names this place."""
    failpoint = _configured_failpoint()
    if failpoint is not None:
        failpoint.reach(place)


@cache
def _configured_failpoint() -> Failpoint | None:
    text = os.environ.get(VARIABLE)
    return parse(text) if text else None
