"""Whose fault a failed call is: its model's, its request's, or nobody's yet.

`Caller` asks it in this order:

1. `ModelHealth.report_failure` tells the limits that all workers share. If a key, a credit or a permission
   was refused (401, 402, 403), `Limiter.refuse` says whose fault that is, by what other requests got, and
   puts the model on hold if it is the model's. If the rate was too high (429), the model may be paused.
2. `policy_after` says how long the request waits for its model after that, `retry.decide` what becomes of it.
3. `health_signal` is what the model's circuit breaker counts; it goes there with the slot of the call.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b

from tasks.limits import Origin, Refusal
from tasks.providers.errors import ProviderError
from tasks.stages.dispatch.retry import RetryPolicy
from tasks.store.values import HeldRequest


def origin_of(request: HeldRequest, *, failed: bool = False) -> Origin:
    """Return whose call this is; only for a failed one does it name the request, since that costs a hash."""
    identity = blake2b(request.body.encode(), digest_size=8).hexdigest() if failed else ""
    return Origin(identity, str(request.batch_no), request.model_attempts == 0)


def policy_after(refusal: Refusal, policy: RetryPolicy, *, attempts: int) -> RetryPolicy:
    """Return the policy for a request that was refused for its key, credit or permission.

    If it alone was refused, it does not wait for the operator. While that is undecided, it is soon sent again
    once, so that it will be known whether others are answered meanwhile.
    """
    if refusal is Refusal.OF_REQUEST:
        return replace(policy, pauses=0)
    if refusal is Refusal.UNDECIDED and attempts == 1:
        return replace(policy, pause_s=min(policy.pause_s, policy.base_s))
    return policy


def health_signal(error: ProviderError, request: HeldRequest, policy: RetryPolicy) -> bool | None:
    """Return what a failed call shows of its provider's health: False, or None where it shows nothing.

    Errors of the request, the key or the rate show nothing. Nor does a request that fails again and again:
    the few such requests that are left at the end of a batch would open the circuit, and then wait for its
    probes, one by one.
    """
    early = request.model_attempts < policy.attempts_per_model
    return False if early and error.kind.is_providers_fault else None
