"""Worker roles: what each consumes, how many threads it may use, and how it runs."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from workers.worker.malloc_trim import trim_periodically

if TYPE_CHECKING:
    from tasks.settings import Settings

#: how much longer than its drain a worker may take before it stops hard
STOP_MARGIN_S = 10.0


class Role(StrEnum):
    """What a worker does."""

    EMBED = "embed"
    ROUTE = "route"
    JUDGE = "judge"
    DISPATCH = "dispatch"
    UPKEEP = "upkeep"


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """One worker: `concurrency` pool processes; `models` narrows a dispatch worker to their queues."""

    role: Role
    concurrency: int = 1
    models: tuple[str, ...] = ()
    loglevel: str = "info"


def run_worker(options: WorkerOptions) -> int:
    """Work until SIGTERM or SIGINT; returns the exit status. SettingsError before anything starts."""
    # The caps must stand before numpy, torch or FAISS load, here and in the spawned pool processes.
    for name, value in environment_of(options.role, options.concurrency, cores=os.cpu_count() or 1).items():
        os.environ.setdefault(name, value)

    from tasks.settings import load_settings

    settings = load_settings()
    trim_periodically()
    if options.role is Role.UPKEEP:
        return _run_upkeep(settings)
    return _run_celery(settings, options)


def environment_of(role: Role, concurrency: int, *, cores: int) -> dict[str, str]:
    """Thread caps and library switches; only embedding gains from threads, and shares the cores."""
    threads = str(max(1, cores // concurrency) if role is Role.EMBED else 1)
    pools = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return {
        **dict.fromkeys(pools, threads),
        # Threads that spin while they wait starve the other processes of the host.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        # LiteLLM would otherwise fetch its price list from the internet when it is imported.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        # The threads of a dispatch worker take turns: heaps of their own only let memory splinter.
        **({"MALLOC_ARENA_MAX": "2"} if role is Role.DISPATCH else {}),
    }


def queues_of(settings: Settings, role: Role, models: Sequence[str] = ()) -> list[str]:
    """Return the queues of a role; SettingsError for an unknown model, or where there is none at all."""
    from tasks.app import queue_names
    from tasks.errors import SettingsError

    if role is not Role.DISPATCH:
        return [role.value]
    names = [settings.model(name).name for name in models] or [model.name for model in settings.models]
    if not names:
        raise SettingsError(
            "no [[models]]: name at least one in waybill.toml, or use `waybill up --simulate`"
        )
    wanted = {f"{Role.DISPATCH}.{name}" for name in names}
    return [queue for queue in queue_names(settings) if queue in wanted]


def celery_arguments(options: WorkerOptions, queues: Sequence[str], *, node: str) -> list[str]:
    """Return the arguments of `celery worker`; each worker talks to the store, none needs to know the others."""
    return [
        "worker",
        *("--pool", "prefork"),
        *("--concurrency", str(options.concurrency)),
        *("--queues", ",".join(queues)),
        *("--hostname", node),
        *("--loglevel", options.loglevel),
        *("--task-events", "--without-mingle", "--without-gossip"),
    ]


def _run_celery(settings: Settings, options: WorkerOptions) -> int:
    from celery.signals import worker_shutting_down

    import tasks.app
    from workers.worker.celery_timers import DropCancelledTimers
    from workers.worker.log_filter import install_log_filter
    from workers.worker.preload import ROLE_VARIABLE

    settings.redis_url  # noqa: B018 - says what to do when there is none
    queues = queues_of(settings, options.role, options.models)
    node = f"{options.role}@{socket.gethostname()}-{os.getpid()}"

    def begin_drain(**_: Any) -> None:
        deadline = threading.Timer(settings.dispatch.drain_s + STOP_MARGIN_S, _stop_hard)
        deadline.daemon = True
        deadline.start()

    worker_shutting_down.connect(begin_drain)
    install_log_filter()
    os.environ[ROLE_VARIABLE] = options.role
    app = tasks.app.app
    app.conf.include = [*app.conf.include, "workers.worker.preload"]
    app.steps["worker"].add(DropCancelledTimers)
    return int(app.start(celery_arguments(options, queues, node=node)) or 0)


def _stop_hard() -> None:
    """End at once: the pool processes go with this one, and the store takes back what they held."""
    print("worker: the drain took too long; stopping now", file=sys.stderr, flush=True)
    os._exit(1)


def _run_upkeep(settings: Settings) -> int:
    from tasks.upkeep.loop import run_upkeep

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run_upkeep(settings, stop)
    return 0
