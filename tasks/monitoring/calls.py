"""The counting of calls, of what they used and cost, and of the time that chunks waited."""

from __future__ import annotations

from tasks.monitoring.counters import COUNTERS
from tasks.monitoring.semantic_conventions import (
    DURATION_BUCKETS,
    TOKEN_BUCKETS,
    operation_name,
    provider_name,
)
from tasks.settings import ModelSettings
from tasks.store.values import HeldChunk, Settlement

CALLS, CALL_SECONDS, CALL_COST, UNBILLED = "calls", "call_seconds", "call_cost", "calls_unpriced"
TOKENS, TOKEN_KINDS = "tokens", "token_kinds"
QUEUE_WAIT = "queue_wait"
SUCCEEDED = "succeeded"
#: seconds from a chunk's opening, or its arrival at a stage, until a worker claims it
WAIT_BUCKETS = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400)


def count_call(model: ModelSettings, endpoint: str, settlement: Settlement) -> None:
    """Count a call that was made."""
    name, provider, operation = model.name, provider_name(model.litellm), operation_name(endpoint)
    result = SUCCEEDED if settlement.state == SUCCEEDED else settlement.error_code or "unknown"
    COUNTERS.add(CALLS, name, result)
    if settlement.latency_ms is not None:
        error = "" if result == SUCCEEDED else result
        seconds = settlement.latency_ms / 1000
        COUNTERS.observe(
            CALL_SECONDS, name, provider, operation, error, value=seconds, buckets=DURATION_BUCKETS
        )
    for kind, tokens in (("input", settlement.prompt_tokens), ("output", settlement.completion_tokens)):
        if tokens is not None:
            COUNTERS.observe(TOKENS, name, provider, operation, kind, value=tokens, buckets=TOKEN_BUCKETS)
    for kind, number in (settlement.usage or {}).items():
        if isinstance(number, int) and kind not in _NO_TOKENS:
            COUNTERS.add(TOKEN_KINDS, name, kind, by=number)
    if settlement.cost is None:
        COUNTERS.add(UNBILLED, name)
    else:
        COUNTERS.add(CALL_COST, name, by=settlement.cost)


#: counts of `router_core.pricing.usage.Usage` that are no tokens
_NO_TOKENS = ("requests", "searches", "billed")


def count_wait(held: HeldChunk) -> None:
    """Count how long a chunk waited that was claimed just now."""
    if held.waited_s is not None:
        COUNTERS.observe(QUEUE_WAIT, held.queue, value=held.waited_s, buckets=WAIT_BUCKETS)
