"""What a key may see of a batch's progress."""

from __future__ import annotations

from dataclasses import replace

from tasks.store.api.keys import Key
from tasks.store.batch_progress import Progress
from tasks.store.health.redis_refusals import A_WORKER
from tasks.store.health.silent_redis import ASK_OPERATOR


def for_key(state: Progress, key: Key) -> Progress:
    """Return the progress without the models that a key may not use.

    Where Redis is, and which workers it refuses, is for operators; others learn that it is so.
    """
    if key.models is not None:
        usable = {None, *key.models}
        paused = tuple(one for one in state.paused if one.model in usable)
        state = replace(state, paused=paused, waits=tuple(one for one in state.waits if one.model in usable))
    if key.is_operator:
        return state
    refused = (A_WORKER,) if state.refused_workers else ()
    return replace(state, silent_redis=state.silent_redis and ASK_OPERATOR, refused_workers=refused)
