"""The heartbeat of a worker: from the moment at which it takes work it says in the store that it is alive.

Status, `--wait`, doctor and the status page read there which roles are missing (`tasks.store.health`). A
Celery worker's first pool process to have loaded what its role needs says so, not the parent, which is ready
long before.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from tasks.store.engine import Store
from tasks.store.health import workers
from tasks.store.health.workers import Load
from workers.worker.load import LoadMeter
from workers.worker.redis_rights import RightsCheck

#: the pool processes of a Celery worker find here whose they are: a name, a role, queues
VARIABLE = "WAYBILL_WORKER"
#: seconds after which a store that was down is told again
_AGAIN_S = 1.0


@dataclass(frozen=True)
class WorkerName:
    """A worker as the store knows it."""

    name: str
    role: str
    queues: tuple[str, ...] = ()
    #: the process whose children the worker's other processes are
    root: int = field(default_factory=os.getpid, compare=False)
    _ended: threading.Event = field(default_factory=threading.Event, init=False, repr=False, compare=False)
    _beating: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def to_environment(self) -> None:
        """Tell the pool processes, which inherit the environment."""
        os.environ[VARIABLE] = "\n".join((self.name, self.role, *self.queues))

    @classmethod
    def from_environment(cls) -> WorkerName | None:
        """Return whose pool process this is; None outside of one."""
        text = os.environ.get(VARIABLE)
        if not text:
            return None
        name, role, *queues = text.split("\n")
        return cls(name, role, tuple(queues), os.getppid())

    def say_ready(self, store: Store, redis_url: str) -> None:
        """Say that the worker takes work, and from now on, in a thread, that it is alive.

        Args:
            store: The store.
            redis_url: The Redis that it takes work from; the store is told when that refuses it something.
        """
        rights = RightsCheck(redis_url, self.role, self.queues)
        threading.Thread(target=self._beat, args=(store, rights), name="alive", daemon=True).start()

    def leave(self, store: Store) -> None:
        """Say that the worker has ended; a store that is down finds it out by itself."""
        self._ended.set()
        try:
            with self._beating, store.write() as connection:  # a beat after this would bring it back
                workers.leave(connection, self.name)
        except SQLAlchemyError:
            pass

    def _beat(self, store: Store, rights: RightsCheck) -> None:
        pause_s, meter = 0.0, LoadMeter(self.root)
        while not self._ended.wait(pause_s):
            has_beaten = self._has_beaten(store, meter.read(), rights)
            pause_s = workers.BEAT_S if has_beaten else _AGAIN_S

    def _has_beaten(self, store: Store, load: Load | None, rights: RightsCheck) -> bool:
        is_refused = rights.look()
        try:
            with self._beating:
                if not self._ended.is_set():
                    with store.write() as connection:
                        workers.beat(
                            connection,
                            self.name,
                            role=self.role,
                            queues=self.queues,
                            load=load,
                            is_refused=is_refused,
                        )
        except SQLAlchemyError:
            return False
        return True
