"""Loads what a role's first task would otherwise wait for, in the pool process and before it takes work.

Celery imports this module in the spawned pool processes, too: `run_worker` adds it to the app's `include`.
"""

from __future__ import annotations

import gc
import os
from typing import Any

from celery.signals import worker_process_init

from workers.worker.malloc_trim import trim_periodically

ROLE_VARIABLE = "WAYBILL_WORKER_ROLE"
#: new objects after which the collector looks for cycles; Python's 700 are a few calls' worth
GC_THRESHOLD = 10_000


@worker_process_init.connect
def preload(**_: Any) -> None:
    """Load the role's heavy libraries; the first group would pay seconds for them."""
    match os.environ.get(ROLE_VARIABLE):
        case "embed":
            _preload_embed()
        case "route":
            import tasks.stages.route  # noqa: F401
        case "dispatch":
            _preload_dispatch()
    freeze_loaded_objects()
    trim_periodically()


def freeze_loaded_objects() -> None:
    """Keep the collector from what is loaded by now, which stays: with LiteLLM a fifth of a call's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


def _preload_embed() -> None:
    from tasks.stages.context import worker_context

    context = worker_context()
    router = context.settings.router.path
    if router is not None and router.exists():  # it may be trained while the workers start
        context.embedder(router)
    else:
        import tokenizers  # noqa: F401


def _preload_dispatch() -> None:
    from tasks.providers.litellm_setup import import_litellm
    from tasks.stages.context import worker_context

    # The direct transport does without LiteLLM and its seconds.
    if any(model.transport == "litellm" for model in worker_context().settings.models):
        import_litellm()
