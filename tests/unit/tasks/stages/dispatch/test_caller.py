"""The caller of the provider, where what it calls does what it must not."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from tasks.settings import ModelSettings
from tasks.stages.dispatch.caller import Caller
from tasks.stages.dispatch.retry import RetryPolicy
from tasks.store.values import HeldRequest, Settlement

MODEL = ModelSettings(name="small", litellm="openai/small", input_price=1, output_price=1)
REQUEST = HeldRequest(1, "one", '{"messages":[]}', 15, 1, 9, "small", 0, 0, chunk_id=1, batch_no=1)


class CancelsItself:
    """A provider one of whose own tasks is cancelled."""

    async def complete(self, *_: object, **__: object) -> object:
        raise asyncio.CancelledError


def test_a_call_that_is_cancelled_from_within_is_settled_all_the_same() -> None:
    """Else its request would be in no queue and in no call, and its lease renewed for good."""
    written: list[Settlement] = []
    released: list[object] = []

    async def run() -> None:
        parts: Any = {
            "health": None,
            "repository": None,
            "writer": SimpleNamespace(add=written.append),
            "releaser": SimpleNamespace(add=released.append),
            "errors": None,
        }
        caller = Caller(cast("Any", CancelsItself()), RetryPolicy(), **parts)
        caller.start(REQUEST, MODEL, "slot")
        await caller.finish(60)

    asyncio.run(run())
    assert [(one.request_id, one.error_code) for one in written] == [(1, "internal_error")]
    assert len(released) == 1
