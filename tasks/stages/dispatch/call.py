"""One call: what it may cost, how it is made, and what its end means for the ledger and the request."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from router_core.pricing import CHARACTERS_PER_TOKEN, actual_micros, worst_case_micros
from tasks.limits import BreakerRules
from tasks.providers.errors import ErrorKind, ProviderError
from tasks.providers.interface import Endpoint, Reply
from tasks.settings import DispatchSettings, ModelSettings, Settings
from tasks.stages.dispatch.repository import CallHistory
from tasks.stages.dispatch.retry import Fail, NextModel, PauseModel, Retry, RetryDecision, RetryPolicy, decide
from tasks.store.values import HeldRequest, RequestResult, Requeue, ReservationRequest, Settlement

#: more than any provider counts for one image; a URL's length says nothing about it
IMAGE_TOKENS = 40_000
#: as it stands in a canonical body
_IMAGE_PART = '"type":"image_url"'
_RESTS = frozenset(kind.value for kind in ErrorKind if kind.needs_operator)


@dataclass(frozen=True, slots=True)
class History:
    """What a failed call's verdict depends on: what the request has behind it, and the call's time."""

    past: CallHistory
    latency_s: float

    def attempts(self, request: HeldRequest, error: ProviderError) -> int:
        """Return the calls to the present model that count: rests do not for other errors, nor others for rests."""
        made = self.past.calls[len(self.past.calls) - request.model_attempts - 1 : -1]
        rests = sum(call.error_code in _RESTS for call in made)
        return 1 + (rests if error.kind.needs_operator else len(made) - rests)


def endpoint_of(model: ModelSettings) -> Endpoint:
    """Return the provider's view of a model; the key is read here, by a dispatch worker, and nowhere else."""
    return Endpoint(
        name=model.name,
        litellm_model=model.litellm,
        api_base=model.api_base,
        api_key=model.api_key(),
        timeout_s=model.timeout_s,
        transport=model.transport,
    )


def policy_of(settings: DispatchSettings) -> RetryPolicy:
    """Return the retry policy an operator has set."""
    return RetryPolicy(
        attempts_per_model=settings.attempts_per_model,
        attempts_last_model=settings.attempts_last_model,
        max_models=settings.max_models,
        base_s=settings.backoff_s,
        cap_s=settings.backoff_cap_s,
        pause_s=settings.pause_s,
        pauses=settings.pauses,
    )


def breaker_rules_of(settings: Settings) -> BreakerRules:
    """When circuits open, as an operator has set it."""
    return BreakerRules(**settings.breaker.model_dump(), max_operator_holds=settings.dispatch.pauses)


def reservation_for(request: HeldRequest, model: ModelSettings) -> ReservationRequest:
    """Return the money the call may need at worst."""
    images = request.body.count(_IMAGE_PART)
    worst = worst_case_micros(
        input_bytes=request.body_bytes + images * IMAGE_TOKENS,
        messages=request.messages,
        max_tokens=request.max_tokens or model.max_tokens,
        price=request.price or model.price,
    )
    return ReservationRequest(request.id, request.chunk_id, request.attempts + 1, model.name, worst)


def tokens_of(request: HeldRequest, model: ModelSettings) -> int:
    """Return the tokens the call probably uses, for the rate limit; corrected once the usage is known."""
    answer = min(request.max_tokens or model.max_tokens, model.expected_tokens)
    return request.body_bytes // CHARACTERS_PER_TOKEN + answer


def body_of(request: HeldRequest, model: ModelSettings) -> dict[str, Any]:
    """Return the request as the provider gets it: its answer is bounded, or no worst case could be reserved."""
    body: dict[str, Any] = json.loads(request.body)
    if request.max_tokens is None:
        body["max_tokens"] = model.max_tokens
    return body


def settlement_of_reply(request: HeldRequest, reply: Reply, model: ModelSettings) -> Settlement:
    """Return the settlement of a call that was answered."""
    latency_ms = round(reply.latency_s * 1000)
    cost = None
    if reply.usage_known:
        cost = actual_micros(
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            price=request.price or model.price,
        )
    final = RequestResult(
        "succeeded",
        model=model.name,
        body=_stored(reply.body),
        status_code=200,
        latency_ms=latency_ms,
    )
    return Settlement(
        request.id,
        request.attempts + 1,
        "succeeded",
        cost,
        final,
        status_code=200,
        prompt_tokens=reply.prompt_tokens if reply.usage_known else None,
        completion_tokens=reply.completion_tokens if reply.usage_known else None,
        latency_ms=latency_ms,
    )


def settlement_of_error(
    request: HeldRequest,
    error: ProviderError,
    *,
    model: ModelSettings,
    history: History,
    policy: RetryPolicy,
) -> Settlement:
    """Return the settlement of a call that failed, by the retry policy's verdict."""
    verdict = decide(
        error,
        attempts_on_this_model=history.attempts(request, error),
        models_tried=history.past.tried,
        ranking=history.past.ranking,
        policy=policy if request.fallback else replace(policy, max_models=1),
        u=random.random(),
    )
    return Settlement(
        request.id,
        request.attempts + 1,
        "failed",
        None if error.maybe_billed else 0,
        _next(verdict, error, model),
        status_code=error.status,
        error_code=error.kind.value,
        latency_ms=round(history.latency_s * 1000),
    )


def health_signal(error: ProviderError, request: HeldRequest, policy: RetryPolicy) -> bool | None:
    """Return what a failed call says about its provider: False, or None where it was the request, key or rate.

    A request that fails again and again, while others got through in between, speaks of itself: the few such
    that are left at a batch's end would open the circuit, and then wait for its probes, one by one.
    """
    fresh = request.model_attempts < policy.attempts_per_model
    return False if fresh and error.kind.is_providers_fault else None


def _stored(body: Mapping[str, Any]) -> str:
    """Return the answer as JSON that every store can hold: a NUL or half a surrogate pair stays an escape."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(body, separators=(",", ":"))
    return text


def _next(verdict: RetryDecision, error: ProviderError, model: ModelSettings) -> RequestResult | Requeue:
    match verdict:
        case Retry(after_s) | PauseModel(after_s):
            return Requeue(after_s)
        case NextModel(name):
            return Requeue(0.0, model=name)
        case Fail(code, reason):
            return RequestResult(
                "failed",
                model=model.name,
                status_code=error.status,
                error_code=code,
                error_message=reason,
            )


def over_budget(model: ModelSettings) -> RequestResult:
    """Return the end of a request that the batch's budget has no room for."""
    return RequestResult(
        "failed",
        model=model.name,
        error_code="budget_exceeded",
        error_message="its worst-case cost does not fit what is left of the batch's budget",
    )


def unreachable(model: ModelSettings, waited_s: float) -> RequestResult:
    """Return the end of a request whose model has not been reached for as long as anybody waits."""
    return RequestResult(
        "failed",
        model=model.name,
        error_code="unreachable",
        error_message=f"its model failed every call for {waited_s / 3600:.3g} h, and no other one may answer",
    )


def internal_error(error: Exception) -> ProviderError:
    """Return an error of our own making, treated as a call that may have been billed; its text stays here."""
    return ProviderError(ErrorKind.UNKNOWN, code=type(error).__name__.lower(), maybe_billed=True)
