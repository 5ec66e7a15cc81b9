"""The shared rate limits, circuits and pauses of all models, as one dispatcher uses them.

Every slot of the rate limit is acquired and released here, so that what a call showed of its provider's
health reaches the circuit together with its slot.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Sequence

from redis.exceptions import RedisError, ResponseError
from sqlalchemy.exc import SQLAlchemyError

from tasks.connections.services import service_of
from tasks.limits.interface import (
    REFUSALS,
    REFUSALS_OF_PROMPTS,
    CircuitTransition,
    Grant,
    Limiter,
    Origin,
    Refusal,
)
from tasks.limits.rates import limits_of
from tasks.providers.errors import ErrorKind, ModelPausedError, ProviderError
from tasks.settings import ModelSettings
from tasks.stages.dispatch.call import settlement_without_call
from tasks.stages.dispatch.repository import CallHistory, DispatchRepository
from tasks.stages.dispatch.retry import RetryPolicy, substitute
from tasks.store.paused_models import CIRCUIT_OPEN
from tasks.store.values import HeldRequest, Requeue, Settlement

logger = logging.getLogger(__name__)

#: Slots per model that wait for Redis to come back; older ones are left to their leases.
MAX_OWED = 10_000

#: The weight of the latest call, and the share of refused calls above which a model is paused.
THROTTLE_WEIGHT = 0.05
MAX_REFUSED = 0.25

#: What Redis and the store raise while they are down.
DOWN = (SQLAlchemyError, RedisError, OSError)


class ModelHealth:
    """Limits, pauses and circuits: shared with other workers through Redis, with people through the store."""

    def __init__(
        self,
        limiter: Limiter,
        repository: DispatchRepository,
        policy: RetryPolicy,
        *,
        models: Sequence[str],
        lease_s: float,
    ) -> None:
        self._limiter = limiter
        self._repository = repository
        self._policy = policy
        self._models = models
        self._lease_s = lease_s
        #: the slots of calls that have not ended, and those that could not be given back yet
        self._held: dict[str, set[str]] = defaultdict(set)
        self._owed: dict[str, list[str]] = {}
        self._throttling = ThrottleMonitor()

    async def acquire(
        self, model: ModelSettings, tokens: Sequence[int], *, origins: Sequence[Origin] = ()
    ) -> Grant:
        """Acquire slots for the first calls, as many as the limits allow now.

        Args:
            model: The model to call.
            tokens: The estimated tokens of each call.
            origins: Whose call each is.

        Raises:
            RedisError, OSError: Redis is down.
        """
        # All at once: the queues of other models do the same, while this one waits for Redis.
        owed, self._owed = self._owed, {}
        for name, slots in owed.items():
            await self.release(name, slots, healthy=None)
        grant = await self._limiter.acquire(
            model.name, limits_of(model), tokens, lease_s=self._lease_s, origins=origins
        )
        self._held[model.name].update(grant.slot_ids)
        return grant

    async def renew(self) -> None:
        """Renew the leases of all slots that are held; they are short, so that a dead worker's are soon free.

        Raises:
            RedisError, OSError: Redis is down, or refuses a model's; those of other models are renewed.
        """
        refusal: ResponseError | None = None
        for model, held in list(self._held.items()):
            try:
                await self._renew(model, held)
            except ResponseError as error:
                refusal = error
        if refusal is not None:
            raise refusal

    async def _renew(self, model: str, held: Collection[str]) -> None:
        slots = list(held)
        await self._limiter.renew(model, slots, lease_s=self._lease_s)
        # What was given back meanwhile may have been renewed after it.
        if given_back := [slot for slot in slots if slot not in held]:
            await self.release(model, given_back, healthy=None)

    async def release(
        self, model: str, slots: Sequence[str], *, healthy: bool | None, origins: Sequence[Origin] = ()
    ) -> None:
        """Give slots back, with what their calls showed of the provider; later, if Redis is down now.

        Args:
            model: The model that the slots are of.
            slots: The ids of the slots.
            healthy: What each of the calls showed; None where it showed nothing, or was not made.
            origins: Whose call each was.
        """
        self._held[model].difference_update(slots)
        if healthy:
            for _ in slots:
                self._throttling.note(model, refused=False)
        try:
            transition = await self._limiter.release(model, slots, healthy=healthy, origins=origins)
            if transition is not None:
                await self._record(model, transition)
        except DOWN as error:
            # A slot that Redis has kept over its restart would stay taken until its lease ends.
            self._owed[model] = [*self._owed.get(model, ()), *slots][-MAX_OWED:]
            kind = type(error).__name__
            logger.warning("slots of %s are given back later: %s: %s", model, service_of(error), kind)

    async def correct_tokens(self, model: ModelSettings, delta: int) -> None:
        """Charge the rate limit for `delta` more tokens than were estimated."""
        if model.tpm is None or delta == 0:
            return
        try:
            await self._limiter.correct_tokens(model.name, limits_of(model), delta)
        except (RedisError, OSError) as error:
            logger.warning("tokens of %s were not corrected: %s", model.name, type(error).__name__)

    async def report_failure(self, model: str, error: ProviderError, origin: Origin) -> Refusal:
        """Tell the shared limits of a failed call; a model that refuses calls as such rests for all workers.

        Returns:
            Whose fault the refusal is, if it is for a key, a credit or a permission; else undecided.
        """
        try:
            if isinstance(error, ModelPausedError):
                return await self._refuse(model, error, origin)
            if error.kind is ErrorKind.RATE_LIMIT and self._throttling.note(model, refused=True):
                seconds = self._policy.base_s if error.retry_after_s is None else error.retry_after_s
                await self._limiter.pause(model, seconds)
        except DOWN as failure:
            kind = type(failure).__name__
            logger.warning("%s could not be paused: %s: %s", model, service_of(failure), kind)
        return Refusal.UNDECIDED

    async def _refuse(self, model: str, error: ModelPausedError, origin: Origin) -> Refusal:
        seconds = self._policy.pause_s
        # Some providers answer 403 to a prompt that their moderation has flagged.
        enough = REFUSALS_OF_PROMPTS if error.kind is ErrorKind.PERMISSION else REFUSALS
        refusal = await self._limiter.refuse(model, seconds, origin=origin, enough=enough)
        if refusal is Refusal.OF_MODEL:
            await asyncio.to_thread(self._repository.pause, model, str(error), seconds)
        return refusal

    async def fail_over(self, requests: Sequence[HeldRequest], model: str) -> list[Settlement]:
        """Return settlements that send requests to other models.

        Only requests that another model may answer are sent, and only to models whose circuits are closed.
        """
        movable = {request.id: request for request in requests if request.fallback}
        if not movable or self._policy.max_models == 1:
            return []
        try:
            avoid = await self._limiter.not_closed(self._models)
            histories = await asyncio.to_thread(self._repository.histories, list(movable))
        except Exception as error:  # of a service, or of what is stored of one: then they wait for this model
            kind = type(error).__name__
            logger.warning("requests for %s are not sent elsewhere: %s: %s", model, service_of(error), kind)
            return []
        moves = [(movable[i], self._substitute(model, history, avoid)) for i, history in histories.items()]
        return [
            settlement_without_call(request, Requeue(0.0, model=other))
            for request, other in moves
            if other is not None
        ]

    async def _record(self, model: str, transition: CircuitTransition) -> None:
        """Record that a model's circuit opened or closed, for `waybill status`."""
        if transition.open_s:
            reason = f"{CIRCUIT_OPEN}: {transition.failures} of {transition.calls} calls failed"
            logger.warning("%s: %s, the next probe is in %.0f s", model, reason, transition.open_s)
            await asyncio.to_thread(self._repository.pause, model, reason, transition.open_s)
        else:
            logger.info("%s: answers again", model)
            await asyncio.to_thread(self._repository.resume, model)

    def _substitute(self, model: str, history: CallHistory, avoid: Collection[str]) -> str | None:
        return substitute(
            model,
            models_tried=history.models,
            ranking=history.ranking,
            avoid=avoid,
            max_models=self._policy.max_models,
        )


class ThrottleMonitor:
    """An exponentially weighted share of each model's recent calls that were refused for their rate.

    One refusal among many answers holds back its own request only: a pause for it would stop hundreds of
    calls that the provider takes. Six in a row, or a first call that is refused, show that nothing gets
    through.
    """

    def __init__(self) -> None:
        self._shares: dict[str, float] = {}

    def note(self, model: str, *, refused: bool) -> bool:
        """Count a call that ended; returns whether the model should be paused."""
        share = self._shares.get(model, MAX_REFUSED)
        self._shares[model] = share = share + THROTTLE_WEIGHT * (refused - share)
        return share > MAX_REFUSED
