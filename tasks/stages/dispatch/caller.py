"""The calls of one process: each in an asyncio task of its own, from the request to its settlement."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from tasks import failpoints
from tasks.log_context import LOG_CONTEXT
from tasks.monitoring.calls import count_call
from tasks.providers.errors import InternalError, ProviderError
from tasks.providers.interface import Provider, Reply
from tasks.settings import ModelSettings
from tasks.stages.dispatch import call, fault
from tasks.stages.dispatch.answer_checks import AnswerChecks
from tasks.stages.dispatch.defects import settlement_of_defect
from tasks.stages.dispatch.error_log import ErrorLog
from tasks.stages.dispatch.model_health import ModelHealth
from tasks.stages.dispatch.repository import CallHistory, DispatchRepository
from tasks.stages.dispatch.retry import RetryPolicy
from tasks.stages.dispatch.settlement_writer import SettlementWriter
from tasks.stages.dispatch.slot_releaser import ReleasedSlot, SlotReleaser
from tasks.store.values import HeldRequest, Settlement
from tasks.tracing import CallSpan

logger = logging.getLogger(__name__)

#: The pause while the store is down.
DOWN_S = 1.0


class Caller:
    """The caller of the provider: it settles each call, and gives its slot and its capacity back."""

    def __init__(
        self,
        provider: Provider,
        policy: RetryPolicy,
        *,
        health: ModelHealth,
        repository: DispatchRepository,
        writer: SettlementWriter,
        releaser: SlotReleaser,
        trace_of: Callable[[int], str | None] = lambda _: None,
        errors: ErrorLog,
    ) -> None:
        self._provider = provider
        self._policy = policy
        self._health = health
        self._repository = repository
        self._writer = writer
        self._releaser = releaser
        self._trace_of = trace_of
        self._errors = errors
        self._checks = AnswerChecks(policy, self._history)
        self._tasks: set[asyncio.Task[None]] = set()
        self._logged: set[tuple[str, str]] = set()

    def start(self, request: HeldRequest, model: ModelSettings, slot: str) -> None:
        """Start a call whose money is reserved; its slot and one unit of capacity come back at its end."""
        task = asyncio.get_running_loop().create_task(self._call(request, model, slot))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self, timeout_s: float) -> None:
        """Wait for the calls in flight, at most `timeout_s`."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)

    async def aclose(self) -> None:
        """Close the provider's connections, and end the process that checks answers."""
        await self._provider.aclose()
        await self._checks.aclose()

    async def _call(self, request: HeldRequest, model: ModelSettings, slot: str) -> None:
        LOG_CONTEXT.set({"batch": request.batch_no, "chunk": request.chunk_id})
        started = time.monotonic()
        healthy, settlement = None, None
        span = CallSpan(model, request, parent=self._trace_of(request.chunk_id))
        try:
            settlement, healthy = await self._settlement(request, model, started)
            self._writer.add(settlement)
            count_call(model, request.endpoint, settlement)
        except (Exception, asyncio.CancelledError) as error:  # a defect of ours; nobody cancels this task
            logger.error("a call to %s could not be settled: %s", model.name, type(error).__name__)
            if settlement is None:  # the request must end: its lease is renewed while it is here
                latency_s = time.monotonic() - started
                self._writer.add(settlement_of_defect(request, model, error, latency_s=latency_s))
        finally:
            span.end(settlement)
            origin = fault.origin_of(request, failed=healthy is False)
            self._releaser.add(ReleasedSlot(model.name, slot, healthy, origin))

    async def _settlement(
        self, request: HeldRequest, model: ModelSettings, started: float
    ) -> tuple[Settlement, bool | None]:
        """Make the call; returns its settlement, and what it showed of the provider's health."""
        reply: Reply | None = None
        try:
            if (missing := call.missing_key(model)) is not None:
                raise missing
            failpoints.reach("before_send")
            reply = await self._provider.complete(
                call.deployment_of(model), call.body_of(request, model), endpoint=request.endpoint
            )
            failpoints.reach("after_response")
            settlement = call.settlement_of_reply(request, reply, model)
        except ProviderError as error:
            settlement = await self._failure(request, model, error, time.monotonic() - started)
            return settlement, fault.health_signal(error, request, self._policy)
        except Exception as error:  # a defect of ours must not lose the request
            defect = InternalError(type(error).__name__, maybe_billed=reply is not None)
            return await self._failure(request, model, defect, time.monotonic() - started), None
        settlement = await self._checks.applied(settlement, request, reply)
        if (usage := reply.usage) is not None:
            used = usage.prompt_tokens + usage.completion_tokens
            await self._health.correct_tokens(model, used - call.tokens_of(request, model))
        return settlement, True

    async def _failure(
        self, request: HeldRequest, model: ModelSettings, error: ProviderError, latency_s: float
    ) -> Settlement:
        self._errors.note(request.batch_no, model.name, error)
        if isinstance(error, InternalError):
            self._log_once(model, error)
        refusal = await self._health.report_failure(model.name, error, fault.origin_of(request, failed=True))
        history = await self._history(request)
        policy = fault.policy_after(refusal, self._policy, attempts=history.attempts(request, error))
        return call.settlement_of_error(
            request, error, model, history=history, latency_s=latency_s, policy=policy
        )

    def _log_once(self, model: ModelSettings, error: InternalError) -> None:
        """Log an error of our own the first time that a model shows it: it may end a whole batch."""
        if (model.name, error.defect) not in self._logged:
            self._logged.add((model.name, error.defect))
            logger.error("calls to %s fail here: %s", model.name, error)

    async def _history(self, request: HeldRequest) -> CallHistory:
        """Return the request's calls so far, once the store answers."""
        while True:
            try:
                return (await asyncio.to_thread(self._repository.histories, [request.id]))[request.id]
            except SQLAlchemyError as error:
                logger.warning("the history of a request waits: %s", type(error).__name__)
                await asyncio.sleep(DOWN_S)
