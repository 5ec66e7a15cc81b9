"""Troubles: what all workers are told about a model that cannot be called, and who answers instead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from tasks.limits.interface import CircuitTransition, Limiter
from tasks.providers.errors import ErrorKind, ModelPausedError, ProviderError
from tasks.stages.dispatch.repository import CallHistory, DispatchRepository
from tasks.stages.dispatch.retry import RetryPolicy, substitute
from tasks.stages.dispatch.settlement_writer import RequestEnd
from tasks.store.values import HeldRequest, Requeue

#: how much the latest call weighs, and the share of refused calls above which the model must rest
WEIGHT = 0.05
LIMIT = 0.25


class ThrottleMonitor:
    """The share of recent calls to each model, as this process sees them, that were refused for their rate.

    A refusal among many answers holds back its own request; resting for it would stop hundreds of calls that
    the provider takes. Six in a row, or a first call that is refused, say that nothing gets through.
    """

    def __init__(self) -> None:
        self._shares: dict[str, float] = {}

    def note(self, model: str, *, refused: bool) -> bool:
        """Count a call that ended; returns whether the model should rest."""
        share = self._shares.get(model, LIMIT)
        self._shares[model] = share = share + WEIGHT * (refused - share)
        return share > LIMIT


logger = logging.getLogger(__name__)

#: slots per model that wait for Redis; older ones are left to their leases
MAX_OWED = 10_000

#: what Redis and the store raise while they are away
DOWN = (SQLAlchemyError, RedisError, OSError)


class ModelHealth:
    """Shares pauses and circuits with other workers through Redis, and with people through the store."""

    def __init__(
        self, limiter: Limiter, books: DispatchRepository, policy: RetryPolicy, *, models: Sequence[str]
    ) -> None:
        self._limiter = limiter
        self._books = books
        self._policy = policy
        self._models = models
        self._owed: dict[str, list[str]] = {}
        self._refusals = ThrottleMonitor()

    async def slow_down(self, model: str, error: ProviderError) -> None:
        """Tell all workers about a refusal that concerns the model, not the request."""
        try:
            if isinstance(error, ModelPausedError):
                seconds = self._policy.pause_s
                await self._limiter.pause(model, seconds, operator_hold=True)
                await asyncio.to_thread(self._books.pause, model, str(error), seconds)
            elif error.kind is ErrorKind.RATE_LIMIT and self._refusals.note(model, refused=True):
                asked = error.retry_after_s
                await self._limiter.pause(model, self._policy.base_s if asked is None else asked)
        except DOWN as failure:
            logger.warning("%s could not be paused: %s", model, type(failure).__name__)

    async def release(self, model: str, slots: Sequence[str], *, healthy: bool | None) -> None:
        """Give slots back, with what each call says of the provider; later, where Redis is away now."""
        if healthy:
            for _ in slots:
                self._refusals.note(model, refused=False)
        try:
            turn = await self._limiter.release(model, slots, healthy=healthy)
            if turn is not None:
                await self._note(model, turn)
        except DOWN as error:
            # A slot that Redis has kept over its restart would stay taken until its lease ends.
            self._owed[model] = [*self._owed.get(model, ()), *slots][-MAX_OWED:]
            logger.warning("slots of %s are given back later: %s", model, type(error).__name__)

    async def release_owed(self) -> None:
        """Give back what could not be given back before."""
        for model in list(self._owed):
            await self.release(model, self._owed.pop(model), healthy=None)

    async def divert(self, requests: Sequence[HeldRequest], model: str) -> list[RequestEnd]:
        """Return the ends of those requests that another model may answer, one that can be reached."""
        movable = {request.id: request for request in requests if request.fallback}
        if not movable or self._policy.max_models == 1:
            return []
        try:
            avoid = await self._limiter.not_closed(self._models)
            pasts = await asyncio.to_thread(self._books.histories, list(movable))
        except DOWN as error:
            logger.warning("%s is not diverted from: %s", model, type(error).__name__)
            return []
        moves = [(movable[i], self._substitute(model, past, avoid)) for i, past in pasts.items()]
        return [_moved(request, other) for request, other in moves if other is not None]

    async def _note(self, model: str, turn: CircuitTransition) -> None:
        """Tell people that a model's circuit opened or closed."""
        if turn.open_s:
            reason = f"circuit open: {turn.failures} of {turn.calls} calls failed"
            logger.warning("%s: %s, the next probe is in %.0f s", model, reason, turn.open_s)
            await asyncio.to_thread(self._books.pause, model, reason, turn.open_s)
        else:
            logger.info("%s: answers again", model)
            await asyncio.to_thread(self._books.resume, model)

    def _substitute(self, model: str, past: CallHistory, avoid: Collection[str]) -> str | None:
        return substitute(
            model,
            models_tried=past.tried,
            ranking=past.ranking,
            avoid=avoid,
            max_models=self._policy.max_models,
        )


def _moved(request: HeldRequest, model: str) -> RequestEnd:
    return RequestEnd(request.batch_no, request.chunk_id, request.id, unsent=Requeue(0.0, model=model))
