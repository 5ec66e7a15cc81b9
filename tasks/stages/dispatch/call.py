"""One call as pure functions: its request, its worst-case cost, and the settlement of its reply or error."""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from router_core.pricing import CHARACTERS_PER_TOKEN, Usage
from tasks.content.bounds import media_of
from tasks.endpoints.registry import endpoint_of
from tasks.limits import BreakerRules
from tasks.money.call_costs import Demand, cost_of, demand_of, worst_case_of
from tasks.providers.errors import MissingKeyError, ProviderError
from tasks.providers.interface import Deployment, Reply
from tasks.providers.signed_requests import needs_no_key
from tasks.settings import DispatchSettings, ModelSettings, Settings
from tasks.stages.dispatch.repository import CallHistory
from tasks.stages.dispatch.retry import RetryPolicy, decide
from tasks.store.values import HeldRequest, RequestResult, Requeue, ReservationRequest, Settlement


def deployment_of(model: ModelSettings) -> Deployment:
    """Return the provider's view of a model; the key is read here, by a dispatch worker, and nowhere else."""
    return Deployment(
        name=model.name,
        litellm_model=model.litellm,
        api_base=model.api_base,
        api_key=model.api_key(),
        timeout_s=model.timeout_s,
        transport=model.transport,
        extra_params=model.extra_parameters,
        max_inputs=model.inputs_per_call,
        max_inputs_tokens=model.max_inputs_tokens,
    )


def missing_key(model: ModelSettings) -> MissingKeyError | None:
    """Return what keeps this process from calling a model: that the variable of its key is not set."""
    if model.api_key_env is None or model.api_key() is not None or needs_no_key(model.litellm):
        return None
    return MissingKeyError(model.api_key_env)


def policy_of(settings: DispatchSettings) -> RetryPolicy:
    """Return the retry policy in the settings."""
    return RetryPolicy(
        attempts_per_model=settings.attempts_per_model,
        attempts_last_model=settings.attempts_last_model,
        max_models=settings.max_models,
        base_s=settings.backoff_s,
        cap_s=settings.backoff_cap_s,
        pause_s=settings.pause_s,
        pauses=settings.pauses,
        validate_attempts=settings.validate_attempts,
    )


def breaker_rules_of(settings: Settings) -> BreakerRules:
    """Return the rules of the circuit breakers in the settings."""
    return BreakerRules(**settings.breaker.model_dump(), max_operator_holds=settings.dispatch.pauses)


def reservation_for(request: HeldRequest, model: ModelSettings) -> ReservationRequest:
    """Return the reservation that the call needs: its worst-case cost."""
    worst = worst_case_of(
        _demand(request),
        model,
        max_tokens=_limit(request, model),
        price=request.price or model.price,
    )
    return ReservationRequest(request.id, request.chunk_id, request.attempts + 1, model.name, worst)


def tokens_of(request: HeldRequest, model: ModelSettings) -> int:
    """Return the tokens that the call probably uses, for the rate limit; see `ModelHealth.correct_tokens`."""
    answer = min(_limit(request, model), model.expected_tokens)
    media = media_of(request.body)
    return (request.body_bytes - media.bytes) // CHARACTERS_PER_TOKEN + media.likely + answer


def body_of(request: HeldRequest, model: ModelSettings) -> dict[str, Any]:
    """Return the body to send; it always bounds the answer, so that a worst-case cost exists."""
    body: dict[str, Any] = json.loads(request.body)
    endpoint = endpoint_of(request.endpoint)
    if request.max_tokens is None and endpoint.limit_key is not None:
        body[endpoint.limit_key] = endpoint.limit(None, model.answer_tokens)
    return body


def settlement_of_reply(request: HeldRequest, reply: Reply, model: ModelSettings) -> Settlement:
    """Return the settlement of a call that was answered."""
    usage = reply.usage
    result = RequestResult(
        "succeeded",
        model=model.name,
        body=stored_body(reply.body),
        status_code=200,
        latency_ms=round(reply.latency_s * 1000),
        notes=_notes(reply),
    )
    cost = _cost(request, usage, model, dropped=reply.dropped)
    return Settlement(
        batch_no=request.batch_no,
        chunk_id=request.chunk_id,
        request_id=request.id,
        number=request.attempts + 1,
        model=model.name,
        state="succeeded",
        cost=cost,
        worst=_worst(request, model, cost),
        next=result,
        status_code=result.status_code,
        latency_ms=result.latency_ms,
        **_usage_fields(usage),
    )


def settlement_of_error(
    request: HeldRequest,
    error: ProviderError,
    model: ModelSettings,
    *,
    history: CallHistory,
    latency_s: float,
    policy: RetryPolicy,
) -> Settlement:
    """Return the settlement of a call that failed, with the decision of the retry policy."""
    next_step = decide(
        error,
        attempts_on_this_model=history.attempts(request, error),
        models_tried=history.models,
        ranking=history.ranking,
        policy=policy if request.fallback else replace(policy, max_models=1),
        u=random.random(),
    )
    cost = _cost_of_failure(request, error, model)
    return Settlement(
        batch_no=request.batch_no,
        chunk_id=request.chunk_id,
        request_id=request.id,
        number=request.attempts + 1,
        model=model.name,
        state="failed",
        cost=cost,
        worst=_worst(request, model, cost),
        next=next_step,
        status_code=error.status,
        error_code=error.kind.value,
        latency_ms=round(latency_s * 1000),
        **_usage_fields(error.usage if error.maybe_billed else None),
    )


def settlement_without_call(request: HeldRequest, next_step: RequestResult | Requeue) -> Settlement:
    """Return the settlement of a request that was not sent."""
    return Settlement(
        batch_no=request.batch_no, chunk_id=request.chunk_id, request_id=request.id, next=next_step
    )


def unreachable(model: ModelSettings, waited_s: float) -> RequestResult:
    """Return the result of a request whose model failed every call for `waited_s`."""
    return RequestResult(
        "failed",
        model=model.name,
        error_code="unreachable",
        error_message=f"its model failed every call for {waited_s / 3600:.3g} h, and no other one may answer",
    )


def _usage_fields(usage: Usage | None) -> dict[str, Any]:
    """Return the fields of a settlement that hold what the call used."""
    if usage is None:
        return {}
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "usage": usage.as_row(),
        "is_bill": True,
    }


def _worst(request: HeldRequest, model: ModelSettings, cost: int | None) -> int:
    """Return the worst case of a call whose cost is unknown; 0 of another, which needs none."""
    return reservation_for(request, model).worst if cost is None else 0


def _cost(
    request: HeldRequest, usage: Usage | None, model: ModelSettings, *, dropped: Collection[str] = ()
) -> int | None:
    """Return what the call cost, in micro-dollars; None if its provider says nothing that can be believed."""
    if usage is None:
        return None
    demand = _demand(request)
    return cost_of(
        usage,
        demand.in_standard_tier() if "service_tier" in dropped else demand,
        model,
        max_tokens=_limit(request, model),
        price=request.price or model.price,
    )


def _limit(request: HeldRequest, model: ModelSettings) -> int:
    """Return the most output tokens of a call."""
    return endpoint_of(request.endpoint).limit(request.max_tokens, model.answer_tokens)


def _demand(request: HeldRequest) -> Demand:
    return demand_of(request.body, body_bytes=request.body_bytes, messages=request.messages)


def _notes(reply: Reply) -> dict[str, Any] | None:
    dropped = {"dropped": list(reply.dropped)} if reply.dropped else {}
    return {**reply.notes, **dropped} or None


def _cost_of_failure(request: HeldRequest, error: ProviderError, model: ModelSettings) -> int | None:
    """Return what a failed call cost; None if that is unknown."""
    if not error.maybe_billed:
        return 0
    return _cost(request, error.usage, model)


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def stored_body(body: Mapping[str, Any]) -> str:
    """Return the reply as JSON that every store can hold: a NUL or half a surrogate pair stays an escape."""
    text = _ENCODER.encode(body)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(body, separators=(",", ":"))
    return text
