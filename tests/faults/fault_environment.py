"""What faults are injected into: a store, Redis, a simulated provider and worker processes."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy.exc import SQLAlchemyError

from tasks.failpoints import VARIABLE
from tasks.store import batches
from tests.faults import hooks
from tests.support.paths import REPOSITORY
from tests.support.postgres_pair import PostgresPair
from tests.support.redis_monitor import RedisMonitor
from tests.support.stack import Stack, WorkerProcess
from tests.support.stores import PostgresServer
from workers.simulator import SimulatorClient, SimulatorProcess, default_config

#: in every prompt, and the key that the provider asks for: neither may be seen outside the store
PROMPT, KEY = "CANARY-prompt-3b9d61", "sk-CANARY-key-84c0aa"
KEY_VARIABLE = "TEST_FAULTS_KEY"
#: how many calls one dispatch process may have in flight: the bound on what a crash may cost
IN_FLIGHT = 64
#: the workers that run unless a fault names others
DEFAULT_ROLES = ("upkeep", "route", "dispatch", "dispatch")
#: whether only the short set runs, as part of `make test`
QUICK = os.environ.get("FAULTS", "quick") == "quick"
#: long enough for a busy machine
LEASE_S, TIMEOUT_S = 10.0, 600.0 if QUICK else 12.0
#: of sim-nano
MAX_CONCURRENCY = 24
_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "dispatch": {"in_flight": IN_FLIGHT, "attempts_per_model": 4, "pauses": 100},
    "upkeep": {"lease_s": LEASE_S, "republish_s": 2.0},
}
_MODEL = {"api_key_env": KEY_VARIABLE, "timeout_s": TIMEOUT_S}
#: every batch makes calls through LiteLLM and directly
_MODELS: Mapping[str, Mapping[str, Any]] = {
    "sim-nano": {"max_concurrency": MAX_CONCURRENCY, "transport": "litellm"},
    "sim-coder": {"transport": "direct"},
}
_POLL_S = 0.05


@dataclass
class FaultEnvironment:
    """One stack on one store; `restore` brings it back to a known state between faults.

    Attributes:
        kind: The database: sqlite or postgresql.
        stack: Services and workers.
        postgres: The database server, where there is one.
        monitor: What is published through Redis.
        disk: The folder, or file system, that holds the store.
        random: Seeded anew for each fault.
        batch_id: The batch that runs.
        peak: The most that the batch had spent and reserved at any look, in micro-dollars.
        roles: The workers that run: one for each entry.
        variables: Environment variables that these workers get.
    """

    kind: str
    stack: Stack
    postgres: PostgresServer | PostgresPair | None
    monitor: RedisMonitor
    disk: Path
    random: random.Random = field(default_factory=lambda: random.Random(0))
    batch_id: str = ""
    peak: int = 0
    roles: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def provider(self) -> SimulatorClient:
        return self.stack.simulator.client

    @property
    def sqlite(self) -> bool:
        return self.kind == "sqlite"

    def logs(self) -> dict[str, str]:
        """Return what every process has logged, by its name; PostgreSQL's server among them."""
        server = {"postgresql": self.postgres.log()} if self.postgres else {}
        return {**self.stack.logs(), **server}

    # Processes

    def running(self, role: str) -> list[WorkerProcess]:
        return [w for w in self.stack.workers if w.name.endswith(f"-{role}") and w.process.poll() is None]

    def start(self, *roles: str, variables: Mapping[str, str] | None = None) -> list[WorkerProcess]:
        """Start workers and wait until they take work."""
        started = [self.stack.start(role, environment=variables) for role in roles]
        self.await_warm(*(w for w in started if not w.name.endswith("upkeep")))
        return started

    def await_warm(self, *workers: WorkerProcess) -> None:
        """Wait until workers take work, and their pool processes have loaded what they need for it."""
        self.stack.await_ready(*workers)
        for worker in workers:
            while _uses_processor(worker):
                pass

    def start_with_failpoint(self, role: str, failpoint: str) -> tuple[WorkerProcess, Path]:
        """Start a worker that fails at a failpoint; the file that is returned exists once it has failed."""
        latch = self.stack.home / f"latch-{len(self.stack.workers)}"
        [worker] = self.start(role, variables={**self.variables, VARIABLE: f"{failpoint}:{latch}"})
        return worker, latch

    def stop(self, *workers: WorkerProcess) -> None:
        for worker in workers:
            if worker.process.poll() is None:
                worker.kill()

    def restart_dead(self) -> None:
        """Start again the workers that have died, as `waybill up` and every orchestrator do."""
        for role in set(self.roles):
            for _ in range(self.roles.count(role) - len(self.running(role))):
                self.stack.start(role, environment=self.variables)

    def restore(self, roles: tuple[str, ...], variables: Mapping[str, str]) -> None:
        """Let exactly these workers run, with these environment variables, and reset the provider."""
        for role in set(DEFAULT_ROLES):
            kept = roles.count(role) if variables == self.variables else 0
            self.stop(*self.running(role)[kept:])
        self.roles, self.variables = roles, variables
        self.restart_dead()
        self.await_warm(*(w for r in ("route", "dispatch") for w in self.running(r)))
        self.provider.reset()
        self.peak = 0

    # The batch

    def row(self) -> dict[str, Any] | None:
        """Return the batch's row; None while the store does not answer."""
        try:
            row = self.stack.row(self.batch_id)
        except SQLAlchemyError:
            return None
        self.peak = max(self.peak, row["spent"] + row["reserved"])
        return row

    def until(self, happened: Callable[[], bool], *, timeout_s: float = 240) -> None:
        """Wait for something, and start again the workers that die meanwhile."""
        deadline = time.monotonic() + timeout_s
        while not happened():
            assert time.monotonic() < deadline, f"{self.batch_id and self.row()}\n{self.stack.log_ends()}"
            self.restart_dead()
            time.sleep(_POLL_S)

    def until_row(self, condition: Callable[[dict[str, Any]], bool], *, timeout_s: float = 240) -> None:
        """Wait until the condition holds of the batch's row."""
        self.until(lambda: (row := self.row()) is not None and condition(row), timeout_s=timeout_s)

    def until_begun(self, succeeded: int = 10) -> None:
        """Wait until so many requests have succeeded; the batch must not have ended."""
        self.until_row(lambda row: row["succeeded"] >= succeeded or row["status"] in batches.FINISHED)
        assert (self.row() or {})["status"] not in batches.FINISHED, "the batch was over before its fault"

    def until_finished(self, *, timeout_s: float = 400) -> None:
        self.until_row(lambda row: row["status"] in batches.FINISHED, timeout_s=timeout_s)

    def watch(self, seconds: float) -> None:
        """Let time pass, and note what the batch spends meanwhile."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.row()
            time.sleep(_POLL_S)


def _uses_processor(worker: WorkerProcess) -> bool:
    """Return whether its pool processes use the processor; idle ones have warmed up. Takes 0.3 s."""

    def used() -> float:
        children = psutil.Process(worker.process.pid).children(recursive=True)
        return sum(sum(child.cpu_times()[:2]) for child in children)

    before = used()
    time.sleep(0.3)
    return used() - before > 0.02 or before == 0


@contextmanager
def open_environment(
    kind: str, folder: Path, disk: Path, *, postgres: PostgresServer | PostgresPair | None
) -> Iterator[FaultEnvironment]:
    """Open an environment without workers; `restore` starts them.

    Args:
        kind: sqlite or postgresql.
        folder: Where everything but the store lies.
        disk: Where the store lies.
        postgres: The database server, for PostgreSQL.
    """
    shutil.copyfile(hooks.__file__, folder / "sitecustomize.py")
    config = default_config()
    models = tuple(replace(m, api_key=KEY, latency_ms=250, latency_sigma=0.2) for m in config.models)
    url = f"sqlite:///{disk / 'waybill.db'}" if postgres is None else postgres.empty_database()
    with ExitStack() as services:
        simulator = SimulatorProcess(replace(config, models=models, echo_errors=True))
        stack = Stack(
            folder,
            simulator=services.enter_context(simulator),
            store_url=url,
            settings=_SETTINGS,
            models={m.name: {**_MODEL, **_MODELS.get(m.name, {})} for m in models},
            environment={KEY_VARIABLE: KEY, "PYTHONPATH": f"{folder}:{REPOSITORY}"},
        )
        services.enter_context(stack)
        monitor = services.enter_context(RedisMonitor(stack.redis))
        yield FaultEnvironment(kind, stack, postgres, monitor, disk)
