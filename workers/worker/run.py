"""Worker roles: the queues that each consumes, its threads, and how it runs."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from workers.worker.malloc_trim import trim_periodically

if TYPE_CHECKING:
    from tasks.settings import Settings
    from tasks.store.engine import Store
    from workers.worker.heartbeat import WorkerName

#: Seconds that a worker may take beyond its drain before it is ended.
STOP_MARGIN_S = 10.0


class Role(StrEnum):
    """A worker's part in the pipeline."""

    EMBED = "embed"
    ROUTE = "route"
    JUDGE = "judge"
    DISPATCH = "dispatch"
    UPKEEP = "upkeep"


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """The options of a worker.

    Attributes:
        concurrency: Number of pool processes.
        models: A dispatch worker consumes the queues of these models only; empty means all.
    """

    role: Role
    concurrency: int = 1
    models: tuple[str, ...] = ()
    loglevel: str = "info"


def run_worker(options: WorkerOptions) -> int:
    """Run a worker until SIGTERM or SIGINT, and return the exit status.

    Raises:
        SettingsError: The settings are wrong, or the store or Redis refuses this process; nothing was
            started.
    """
    # Set before numpy, torch or FAISS are loaded, here and in the spawned pool processes.
    for name, value in environment_of(options.role, options.concurrency, cores=os.cpu_count() or 1).items():
        os.environ.setdefault(name, value)

    from tasks.private_home import secure
    from tasks.settings import load_settings
    from workers.logs.process_log import is_json, log_to_stderr, notices, process_name
    from workers.worker.heartbeat import WorkerName
    from workers.worker.services import open_services

    settings = load_settings()
    secure(settings.home)
    trim_periodically()
    settings.redis_url  # noqa: B018 - raises SettingsError with advice where there is none
    queues = [] if options.role is Role.UPKEEP else queues_of(settings, options.role, options.models)
    worker = WorkerName(process_name(options.role), options.role, tuple(queues))
    if options.role is Role.UPKEEP:
        log_to_stderr(worker.name)
    elif is_json():  # the text log of its workers Celery sets up, after its first warnings
        log_to_stderr(worker.name, level=None)
    store = open_services(settings, worker, notify=notices(worker.name, _notify))
    try:
        if options.role is Role.UPKEEP:
            return _run_upkeep(settings, worker, store)
        return _run_celery(settings, options, worker)
    finally:
        worker.leave(store)
        store.close()


def environment_of(role: Role, concurrency: int, *, cores: int) -> dict[str, str]:
    """Return environment variables that cap threads: embedding shares the cores, other roles gain nothing."""
    threads = str(max(1, cores // concurrency) if role is Role.EMBED else 1)
    pools = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return {
        **dict.fromkeys(pools, threads),
        # Threads that spin while they wait starve the other processes of the host.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        # Or LiteLLM fetches its price list from the internet at import.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        # The GIL runs one thread of a dispatch worker at a time: a heap for each only fragments memory.
        **({"MALLOC_ARENA_MAX": "2"} if role is Role.DISPATCH else {}),
    }


def queues_of(settings: Settings, role: Role, models: Sequence[str] = ()) -> list[str]:
    """Return the queues of a role; `models` narrows those of dispatch.

    Raises:
        SettingsError: A model is unknown, or there are no models.
    """
    from tasks.app import queue_names
    from tasks.errors import SettingsError

    if role is not Role.DISPATCH:
        return [role.value]
    names = [settings.model(name).name for name in models] or [model.name for model in settings.models]
    if not names:
        raise SettingsError(f"no models: {settings.models_advice}")
    wanted = {f"{Role.DISPATCH}.{name}" for name in names}
    return [queue for queue in queue_names(settings) if queue in wanted]


def celery_arguments(options: WorkerOptions, queues: Sequence[str], *, node: str) -> list[str]:
    """Return the command line of `celery worker`, without gossip: workers need not know each other."""
    return [
        "worker",
        *("--pool", "prefork"),
        *("--concurrency", str(options.concurrency)),
        *("--queues", ",".join(queues)),
        *("--hostname", node),
        *("--loglevel", options.loglevel),
        *("--task-events", "--without-mingle", "--without-gossip"),
    ]


def _run_celery(settings: Settings, options: WorkerOptions, worker: WorkerName) -> int:
    from celery.signals import worker_shutting_down

    import tasks.app
    from workers.logs.process_log import notices
    from workers.worker.alive_file import alive_file, beating_step
    from workers.worker.celery_log import banner_options, say_as_chosen
    from workers.worker.celery_timers import DropCancelledTimers
    from workers.worker.log_filter import install_log_filter
    from workers.worker.missing_keys import warn_at_start
    from workers.worker.preload import ROLE_VARIABLE

    def begin_drain(**_: Any) -> None:
        deadline = threading.Timer(
            settings.dispatch.drain_s + STOP_MARGIN_S, _exit_now, [notices(worker.name, _notify)]
        )
        deadline.daemon = True
        deadline.start()

    worker_shutting_down.connect(begin_drain)
    install_log_filter()
    say_as_chosen(worker.name)
    if options.role is Role.DISPATCH:
        warn_at_start(settings, options.models)
    os.environ[ROLE_VARIABLE] = options.role
    worker.to_environment()
    app = tasks.app.app
    app.conf.include = [*app.conf.include, "workers.worker.preload"]
    app.steps["worker"].add(DropCancelledTimers)
    if alive := alive_file():
        app.steps["consumer"].add(beating_step(alive))
    arguments = celery_arguments(options, worker.queues, node=worker.name)
    return int(app.start([*banner_options(), *arguments]) or 0)


def _notify(text: str) -> None:
    print(f"worker: {text}", file=sys.stderr, flush=True)


def _exit_now(notify: Callable[[str], None]) -> None:
    """End this process and with it its pool; the store requeues the requests that they held."""
    notify("the drain took too long; stopping now")
    os._exit(1)


def _run_upkeep(settings: Settings, worker: WorkerName, store: Store) -> int:
    from tasks.processes import set_at_signals
    from tasks.upkeep.loop import run_upkeep
    from workers.worker.alive_file import alive_file

    alive = alive_file()
    stop = threading.Event()
    set_at_signals(stop)
    worker.say_ready(store, settings.redis_url)
    run_upkeep(settings, stop, beat=alive.beat if alive else None)
    return 0
