"""What owners of keys see of a batch's troubles: addresses, and names of workers, are for operators."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from tasks.store.batch_progress import Progress
from tasks.store.health.redis_refusals import A_WORKER
from tasks.store.health.silent_redis import ASK_OPERATOR


def for_owner(state: Progress, models: Collection[str] | None, *, is_operator: bool = False) -> Progress:
    """Return a batch as an owner may see it, who then knows that Redis is silent, but not where.

    Args:
        state: The batch.
        models: The models that the key may use, of whose pauses and waits it hears; None: all.
        is_operator: Whether it may know where Redis is, and whom it refuses.
    """
    shown = replace(
        state,
        paused=tuple(one for one in state.paused if models is None or one.model in models),
        waits=tuple(one for one in state.waits if models is None or one.model in {None, *models}),
    )
    if is_operator:
        return shown
    return replace(
        shown,
        silent_redis=state.silent_redis and ASK_OPERATOR,
        refused_workers=state.refused_workers and (A_WORKER,),
    )
