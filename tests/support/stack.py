"""The whole pipeline for tests: real Redis, simulator and store, and worker processes that can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
from sqlalchemy import func, select, update

from tasks.endpoints.registry import ENDPOINTS
from tasks.settings import Settings, load_settings
from tasks.store import batches
from tasks.store.engine import Store
from tasks.store.schema import ensure_schema
from tasks.store.tables import attempt, chunk, request
from tasks.store.unlocked import deltas
from tasks.submission import submit
from tasks.submission.options import options_for
from tasks.submission.source import from_items
from tests.support.invariants import check_budget
from tests.support.processes import is_alive
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until
from workers.simulator import SimulatorProcess, default_config

#: longer than any machine stands still; `expire_leases` ends those of a worker that a test has stopped
LEASE_S = 600.0
#: longer than a test holds a call
_TIMEOUT_S = 600.0
_POLL_S = 0.1
_READY_S = 240.0
_STOP_S = 200.0
_LOG_CHARS = 4_000
#: how long a frozen worker may keep the store locked before it is let go on
_THAW_S = 2.0


class WorkerProcess:
    """One `waybill worker` with its pool, in a process group of its own; its output goes to `log`."""

    def __init__(self, name: str, command: list[str], *, log: Path, environment: Mapping[str, str]) -> None:
        self.name, self.log = name, log
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                command, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL, env=dict(environment),
                start_new_session=True,
            )  # fmt: skip
        self._owners: dict[str, bool] = {}

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole process group, as when a host or container crashes."""
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """Kill the whole process group and wait for its end."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.signal(signal.SIGKILL)
        self.process.wait()
        wait_until(lambda: not any(is_alive(one) for one in family), timeout_s=_STOP_S)

    def terminate(self, timeout_s: float = _STOP_S) -> int:
        """Send SIGTERM to the worker alone, as an operator would; returns its exit status."""
        self.process.terminate()
        status = self.process.wait(timeout_s)
        if status:
            print(f"{self.name} ended with {status}\n{self.log.read_text()[-_LOG_CHARS:]}")
        return status

    def owns(self, owner: str | None) -> bool:
        """Return whether one of its pool processes holds chunks under this name."""
        if owner is None:
            return False
        if owner not in self._owners:
            self._owners[owner] = self._is_child(int(owner.rsplit("-", 2)[1]))
        return self._owners[owner]

    def _is_child(self, pid: int) -> bool:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(pid).ppid() == self.process.pid
        return False


class Stack:
    """Services and workers around one store; everything ends with the block.

    `settings` are sections of waybill.toml on top of fast ones for tests; `models` names the simulator's
    models and what to add to each.
    """

    def __init__(
        self,
        home: Path,
        *,
        simulator: SimulatorProcess,
        store_url: str | None = None,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        models: Mapping[str, Mapping[str, Any]] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.home, self.simulator = home, simulator
        self.redis = RedisServer(append_only=True)
        self.environment = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
        self.workers: list[WorkerProcess] = []
        self._written = {"store": {"url": store_url}} if store_url else {}
        self._written |= {name: dict(section) for name, section in (settings or {}).items()}
        self._models = models or {}

    def __enter__(self) -> Self:
        self.home.mkdir(parents=True, exist_ok=True)
        self.redis.start()
        config = self.home / "waybill.toml"
        config.write_text(self._toml())
        self.environment["WAYBILL_CONFIG"] = str(config)
        self.settings: Settings = load_settings(config)
        self.store = Store(self.settings.store_url)
        ensure_schema(self.store)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
        self.store.close()
        self.redis.close()

    # Workers

    def start(self, *role: str, environment: Mapping[str, str] | None = None) -> WorkerProcess:
        """Run `waybill worker ROLE …`; see `await_ready`."""
        return self.run("worker", *role, environment=environment)

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> WorkerProcess:
        """Run any part of the command in the background."""
        name = f"{len(self.workers)}-{'-'.join(a for a in arguments if a.isalpha())}"
        worker = WorkerProcess(
            name,
            [sys.executable, "-m", "workers.cli", *arguments],
            log=self.home / f"{name}.log",
            environment={**self.environment, **(environment or {})},
        )
        self.workers.append(worker)
        return worker

    def await_ready(self, *workers: WorkerProcess) -> None:
        """Wait until Celery workers take work."""
        deadline = time.monotonic() + _READY_S
        for worker in workers:
            while " ready." not in worker.log.read_text(errors="replace"):
                assert worker.process.poll() is None, worker.log.read_text(errors="replace")
                assert time.monotonic() < deadline, f"{worker.name} is not ready"
                time.sleep(_POLL_S)

    def logs(self) -> dict[str, str]:
        """Return what every process has logged so far, by its name."""
        return {worker.name: worker.log.read_text(errors="replace") for worker in self.workers}

    def log_ends(self) -> str:
        """Return the last 2,000 characters of each process's log."""
        return "\n".join(f"--- {name}\n{text[-2000:]}" for name, text in self.logs().items())

    # Batches

    def submit(
        self,
        items: Iterable[object],
        *,
        budget: int | None = None,
        chunk_size: int = 64,
        group_size: int = 16,
        **options: Any,
    ) -> str:
        """Submit prompts or request objects; small chunks, so that there is a middle to fail in."""
        chosen = options_for(self.settings, **options)
        chosen = replace(chosen, chunk_size=chunk_size, group_size=group_size)
        parsed = from_items(list(items), self.settings)
        return submit.submit(self.store, parsed, source="test", options=chosen, budget=budget)

    def row(self, batch_id: str) -> dict[str, Any]:
        with self.store.read() as connection:
            return deltas.with_unfolded(connection, batches.find(connection, batch_id))

    def wait(
        self,
        batch_id: str,
        until: Callable[[dict[str, Any]], bool] | None = None,
        *,
        timeout_s: float = 400,
        every_s: float = _POLL_S,
    ) -> dict[str, Any]:
        """Wait until a batch ends, or `until` holds of its row; its budget must hold at every look."""
        until = until or (lambda row: row["status"] in batches.FINISHED)
        deadline = time.monotonic() + timeout_s
        while True:
            row = self.row(batch_id)
            check_budget(row)
            if until(row):
                return row
            assert time.monotonic() < deadline, f"{row}\n{self.log_ends()}"
            time.sleep(every_s)

    def sent_by(self, worker: WorkerProcess) -> int:
        """Count the calls of this worker that are in flight by the ledger."""
        query = (
            select(chunk.c.owner, func.count())
            .select_from(attempt)
            .join(request, request.c.id == attempt.c.request_id)
            .join(chunk, chunk.c.id == request.c.chunk_id)
            .where(attempt.c.state == "sent")
            .group_by(chunk.c.owner)
        )
        with self.store.read() as connection:
            return sum(number for owner, number in connection.execute(query) if worker.owns(owner))

    def held_by(self, worker: WorkerProcess) -> int:
        """Count the chunks that this worker holds."""
        query = select(chunk.c.owner).where(chunk.c.state == "claimed")
        with self.store.read() as connection:
            return sum(worker.owns(owner) for owner in connection.execute(query).scalars())

    def kill_at_work(self, worker: WorkerProcess, work: Callable[[WorkerProcess], int]) -> int:
        """Kill the worker's group at a moment when `work(worker)` is not 0; returns what it was then.

        Its leases run out at once.
        """
        number = self._catch(worker, work)
        worker.kill()
        self.expire_leases()
        return number

    def expire_leases(self, *frozen: WorkerProcess) -> int:
        """Let the leases of dead processes and of these workers run out at once; returns how many."""
        query = select(chunk.c.id, chunk.c.owner).where(chunk.c.state == "claimed")
        with self.store.write() as connection:
            held = connection.execute(query).all()
            lost = [one.id for one in held if _is_dead(one.owner) or any(w.owns(one.owner) for w in frozen)]
            connection.execute(update(chunk).where(chunk.c.id.in_(lost)).values(lease_until=0))
        return len(lost)

    def freeze_at_work(self, worker: WorkerProcess, work: Callable[[WorkerProcess], int]) -> int:
        """Stop the worker, outside of transactions: a stopped holder of SQLite's lock stops all others."""

        def outside_transactions(worker: WorkerProcess) -> int:
            with self.store.write():
                return work(worker)

        return self._catch(worker, outside_transactions)

    def _catch(
        self, worker: WorkerProcess, work: Callable[[WorkerProcess], int], *, timeout_s: float = 200
    ) -> int:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if work(worker) and (number := self._count_frozen(worker, work)):
                return number
            time.sleep(0.002)
        raise AssertionError(f"{worker.name} was never at work\n{self.log_ends()}")

    def _count_frozen(self, worker: WorkerProcess, work: Callable[[WorkerProcess], int]) -> int:
        """Stop the worker and count its work; 0, and it goes on, if it has none or held the store's lock."""
        worker.signal(signal.SIGSTOP)
        thaw = threading.Timer(_THAW_S, worker.signal, [signal.SIGCONT])
        thaw.start()
        began = time.monotonic()
        number = work(worker)
        thaw.cancel()
        if number and time.monotonic() - began < _THAW_S:
            return number
        worker.signal(signal.SIGCONT)
        return 0

    def _toml(self) -> str:
        sections: dict[str, dict[str, Any]] = {
            "redis": {"url": self.redis.url},
            "dispatch": {
                "in_flight": 64,
                "backoff_s": 0.2,
                "pause_s": 1.0,
                "pauses": 1_000,
                "drain_s": 180.0,
            },
            "upkeep": {"lease_s": LEASE_S, "sweep_s": 0.3, "republish_s": 3.0},
        }
        for name, section in self._written.items():
            sections[name] = {**sections.get(name, {}), **section}
        lines = [f"home = {json.dumps(str(self.home))}"]
        for name, section in sections.items():
            lines += [f"[{name}]", *_lines(section)]
        for model in simulated_models(self.simulator):
            lines += ["[[models]]", *_lines({**model, **self._models.get(model["name"], {})})]
        return "\n".join(lines) + "\n"


def _is_dead(owner: str) -> bool:
    """Return whether the process that holds chunks under this name has ended."""
    with suppress(psutil.NoSuchProcess):
        return not is_alive(psutil.Process(int(owner.rsplit("-", 2)[1])))
    return True


def simulated_models(simulator: SimulatorProcess) -> list[dict[str, Any]]:
    """The simulator's models as `[[models]]`, with short answers: worst cases stay near the bill."""
    return [
        {
            "name": model.name,
            "litellm": f"openai/{model.name}",
            "api_base": simulator.base_url,
            "input_price": model.input_price,
            "endpoints": list(ENDPOINTS),
            "output_price": model.output_price,
            "timeout_s": _TIMEOUT_S,
            "max_tokens": 64,
        }
        for model in default_config().models
    ]


def _lines(section: Mapping[str, Any]) -> list[str]:
    # A TOML scalar is spelt as in JSON.
    return [f"{key} = {json.dumps(value)}" for key, value in section.items()]
