"""Faults of providers: refusals, failures, hangs, wrong usage, slow answers; and a budget that runs out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, update

from tasks.store.engine import now_ms
from tasks.store.tables import attempt, request
from tests.faults.fault_environment import KEY, PROMPT, FaultEnvironment
from tests.faults.nemesis import REQUESTS, Fault, Injection, Items, no_injection, plain
from tests.support.invariants import BatchTotals

_STORM = {"rate_limit_seconds": 0.4, "rate_limit_date": 0.3, "rate_limit_negative": 0.2}
#: prompts whose first call goes wrong, of each kind
_FAILING = 6
#: failures after which the provider sends its bill all the same
_BILLED = ("hang_billed", "drip", "reset", "html", "truncated", "no_choices", "empty_content", "huge_body")
_NOT_BILLED = ("server_error", "bad_gateway", "unavailable", "overloaded", "hang")
_LIES = ("no_usage", "absurd_usage")


def with_failing_first_calls(kind: str, models: Sequence[str] = ("sim-nano", "sim-coder")) -> Items:
    """Add prompts whose first call fails in this way, through LiteLLM and directly."""

    def items(environment: FaultEnvironment) -> list[object]:
        run = f"{environment.random.getrandbits(32):08x}"
        bad = [
            {
                "prompt": f"[[sim:{kind} times=1]] {PROMPT} {run}: say {n}",
                "id": f"bad-{n}",
                "model": models[n % len(models)],
            }
            for n in range(_FAILING)
        ]
        return [*bad, *plain(environment)]

    return items


def storms(environment: FaultEnvironment) -> Iterator[None]:
    """Nine calls in ten get a 429, with Retry-After in seconds, as a date, or negative."""
    environment.provider.behave("*", failures=_STORM)
    yield
    environment.until_row(lambda row: row["calls"] > 40)
    environment.watch(3.0)
    environment.provider.behave("*", failures={})
    yield


def asks_for_a_year(environment: FaultEnvironment) -> Iterator[None]:
    """Retry-After of a year: clamped to ten minutes, which the nemesis then lets pass."""
    yield
    environment.until_row(lambda row: row["succeeded"] >= REQUESTS / 4)  # those of the other model
    query = select(func.max(request.c.next_attempt_at) - now_ms())
    longest = 0
    while longest <= 0:
        environment.watch(0.5)
        with environment.stack.store.read() as connection:
            longest = connection.execute(query).scalar_one() or 0
    assert longest <= 700_000, f"a request rests for {longest / 1000} s"
    environment.watch(1.0)
    with environment.stack.redis.client() as client:
        client.flushall()
    with environment.stack.store.write() as connection:
        connection.execute(update(request).values(next_attempt_at=0))
    yield


def needs_an_operator(harm: Mapping[str, Any], mended: Mapping[str, Any]) -> Injection:
    """One model refuses a key, or credit, in mid-batch, until it is mended; the other models go on."""

    def inject(environment: FaultEnvironment) -> Iterator[None]:
        yield
        environment.until_begun()
        environment.provider.behave("sim-nano", **harm)
        others = 2 * (REQUESTS * 9 // 10) // 3 // 2  # those that name sim-coder
        environment.until_row(lambda row: row["succeeded"] > others)
        environment.watch(3.0)
        environment.provider.behave("sim-nano", **mended)
        yield

    return inject


def answers_slowly(environment: FaultEnvironment) -> Iterator[None]:
    """Calls take so long that 300 are in flight when the cap is reached."""
    environment.provider.behave("*", latency_ms=7000)
    extra = environment.start("dispatch", "dispatch", "dispatch")
    yield
    environment.until(lambda: in_flight(environment) >= 300)
    yield
    environment.stop(*extra)


def in_flight(environment: FaultEnvironment) -> int:
    """Count the calls for which money is reserved on the ledger."""
    query = select(func.count()).select_from(attempt).where(attempt.c.state == "sent")
    with environment.stack.store.read() as connection:
        return connection.execute(query).scalar_one()


def expensive_items(environment: FaultEnvironment) -> list[object]:
    run = f"{environment.random.getrandbits(32):08x}"
    models = ("sim-coder", "sim-writer")
    return [{"prompt": f"{PROMPT} {run}: say {n}", "model": models[n % 2]} for n in range(900)]


def stopped_by_its_cap(totals: BatchTotals) -> bool:
    return totals.outcomes.get("failed", 0) == totals.row["budget_stops"] > 0


FAULTS: list[Fault] = [
    Fault(name="429 storm", number=12, inject=storms),
    Fault(
        name="Retry-After of a year",
        number=12,
        inject=asks_for_a_year,
        items=with_failing_first_calls("rate_limit_huge", ["sim-nano"]),
    ),
    *(
        Fault(
            name="provider fails, no bill",
            variant=kind,
            number=13,
            inject=no_injection,
            items=with_failing_first_calls(kind),
        )
        for kind in _NOT_BILLED
    ),
    *(
        Fault(
            name="provider spoils its answer",
            variant=kind,
            number=13,
            inject=no_injection,
            items=with_failing_first_calls(kind),
            resent=_FAILING,
        )
        for kind in _BILLED
    ),
    *(
        Fault(
            name="provider lies about usage",
            variant=kind,
            number=13,
            inject=no_injection,
            items=with_failing_first_calls(kind),
        )
        for kind in _LIES
    ),
    Fault(
        name="401 in mid-batch",
        number=14,
        inject=needs_an_operator({"api_key": "another"}, {"api_key": KEY}),
    ),
    Fault(
        name="402 in mid-batch",
        number=14,
        inject=needs_an_operator({"failures": {"payment_required": 1.0}}, {"failures": {}}),
    ),
    Fault(
        name="cap hit, 300 in flight",
        number=15,
        inject=answers_slowly,
        items=expensive_items,
        budget=80_000,
        accepts=stopped_by_its_cap,
    ),
]
