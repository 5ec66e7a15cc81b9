"""Loading of a role's heavy libraries in a pool process, before it takes its first task and says so.

Celery imports this module in the spawned pool processes as well: `run_worker` adds it to the app's `include`.
"""

from __future__ import annotations

import gc
import os
from typing import Any

from celery.signals import (
    after_setup_logger,
    after_setup_task_logger,
    worker_process_init,
    worker_process_shutdown,
)

from tasks.processes import freeze_loaded_objects
from workers.worker.malloc_trim import trim_periodically

ROLE_VARIABLE = "WAYBILL_WORKER_ROLE"
#: New objects between two runs of the garbage collector; Python's 700 are those of a few calls.
GC_THRESHOLD = 10_000


@worker_process_init.connect
def preload(**_: Any) -> None:
    """Load the role's heavy libraries, or the first group of requests would wait seconds for them."""
    match os.environ.get(ROLE_VARIABLE):
        case "embed":
            _preload_embed()
        case "route":
            import tasks.stages.route  # noqa: F401
        case "dispatch":
            _preload_dispatch()
    _trace(os.environ.get(ROLE_VARIABLE))
    _write_counters(os.environ.get(ROLE_VARIABLE))
    freeze_loaded_objects()
    gc.set_threshold(GC_THRESHOLD)
    trim_periodically()
    _say_ready()


@after_setup_logger.connect
@after_setup_task_logger.connect
def log_as_chosen(**_: Any) -> None:
    """Write the log of the worker, and of its pool processes, in the chosen form."""
    from workers.logs.json_format import use_chosen
    from workers.worker.heartbeat import WorkerName

    worker = WorkerName.from_environment()
    if worker is not None:
        use_chosen(worker.name)


def _say_ready() -> None:
    from tasks.stages.context import worker_context
    from workers.worker.heartbeat import WorkerName

    worker = WorkerName.from_environment()
    if worker is not None:
        context = worker_context()
        worker.say_ready(context.store, context.settings.redis_url)


def _trace(role: str | None) -> None:
    """Make spans, where the environment names a collector, and send the last ones when this process ends."""
    from tasks.stages.context import worker_context
    from tasks.tracing import start_tracing, stop_tracing

    start_tracing(worker_context().owner)
    if role != "dispatch":  # its calls in flight end first, see `DispatchProcess.drain`
        worker_process_shutdown.connect(lambda **_: stop_tracing(), weak=False)


def _write_counters(role: str | None) -> None:
    """Write this process's counters from now on, and once more when it ends."""
    if role is None:
        return
    from tasks.monitoring.writer import CounterWriter
    from tasks.stages.context import worker_context

    context = worker_context()
    writer = CounterWriter(context.store, context.owner, role)
    writer.start()
    worker_process_shutdown.connect(lambda **_: writer.write(), weak=False)


def _preload_embed() -> None:
    from tasks.stages.context import worker_context

    context = worker_context()
    router = context.settings.router.path
    if router is not None and router.exists():  # a demo's router is trained while the workers start
        context.embedder(router)
    else:
        import tokenizers  # noqa: F401


def _preload_dispatch() -> None:
    from tasks.providers.direct_models import always_needs_litellm
    from tasks.providers.litellm_setup import import_litellm
    from tasks.stages.context import worker_context
    from tasks.stages.dispatch.call import deployment_of

    # Plain requests need no LiteLLM, whose import takes seconds, for models that are called directly.
    if any(map(always_needs_litellm, map(deployment_of, worker_context().settings.models))):
        import_litellm()
