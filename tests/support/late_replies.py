"""Replies of the store and Redis that reach a dispatcher late, as on a machine that has too much to do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tasks.limits import RedisLimiter

_to_thread = asyncio.to_thread


def make_replies_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let transactions and commands begin late, and their replies come late, so that others overtake them."""
    monkeypatch.setattr(asyncio, "to_thread", _late(_to_thread))
    for name in ("acquire", "release"):
        monkeypatch.setattr(RedisLimiter, name, _late(getattr(RedisLimiter, name)))


def _late(work: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
    async def late(*arguments: Any, **options: Any) -> Any:
        await asyncio.sleep(_pause_s())
        try:
            return await work(*arguments, **options)
        finally:
            await asyncio.sleep(_pause_s())

    return late


def _pause_s() -> float:
    return random.choice((0, 0, 0.005, 0.03, 0.15))
