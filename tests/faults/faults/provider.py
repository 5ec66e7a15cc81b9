"""Providers that refuse, fail, hang, lie and drown, and money that runs out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, update

from tasks.store.engine import now_ms
from tasks.store.tables import attempt, request
from tests.faults.fault_environment import KEY, PROMPT, FaultEnvironment
from tests.faults.nemesis import REQUESTS, Act, Fault, Items, plain
from tests.support.invariants import StoreInvariants

_STORM = {"rate_limit_seconds": 0.4, "rate_limit_date": 0.3, "rate_limit_negative": 0.2}
#: prompts whose first call goes wrong, of each kind
_SPOILT = 6
#: failures after which the provider sends its bill all the same
_BILLED = ("hang_billed", "drip", "reset", "html", "truncated", "no_choices", "empty_content", "huge_body")
_UNBILLED = ("server_error", "bad_gateway", "unavailable", "overloaded", "hang")
_LIES = ("no_usage", "absurd_usage")


def nothing(world: FaultEnvironment) -> Iterator[None]:
    """The prompts themselves say how their calls go."""
    yield
    yield


def spoilt(kind: str, models: Sequence[str] = ("sim-nano", "sim-coder")) -> Items:
    """Some more prompts, whose first call fails in this way: by LiteLLM, and directly."""

    def items(world: FaultEnvironment) -> list[object]:
        run = f"{world.random.getrandbits(32):08x}"
        bad = [
            {
                "prompt": f"[[sim:{kind} times=1]] {PROMPT} {run}: say {n}",
                "id": f"bad-{n}",
                "model": models[n % len(models)],
            }
            for n in range(_SPOILT)
        ]
        return [*bad, *plain(world)]

    return items


def storms(world: FaultEnvironment) -> Iterator[None]:
    """Nine calls in ten get a 429, with Retry-After in seconds, as a date, or negative."""
    world.provider.behave("*", failures=_STORM)
    yield
    world.until_row(lambda row: row["calls"] > 40)
    world.watch(3.0)
    world.provider.behave("*", failures={})
    yield


def asks_for_a_year(world: FaultEnvironment) -> Iterator[None]:
    """Retry-After of a year: clamped to ten minutes, which the nemesis then lets pass."""
    yield
    world.until_row(lambda row: row["succeeded"] >= REQUESTS / 4)  # those of the other model
    query = select(func.max(request.c.next_attempt_at) - now_ms())
    longest = 0
    while longest <= 0:
        world.watch(0.5)
        with world.stack.store.read() as connection:
            longest = connection.execute(query).scalar_one() or 0
    assert longest <= 700_000, f"a request rests for {longest / 1000} s"
    world.watch(1.0)
    with world.stack.redis.client() as client:
        client.flushall()
    with world.stack.store.write() as connection:
        connection.execute(update(request).values(next_attempt_at=0))
    yield


def wants_people(harm: Mapping[str, Any], mended: Mapping[str, Any]) -> Act:
    """One model refuses a key, or credit, in mid-batch, until it is mended; the other models go on."""

    def act(world: FaultEnvironment) -> Iterator[None]:
        yield
        world.until_begun()
        world.provider.behave("sim-nano", **harm)
        others = 2 * (REQUESTS * 9 // 10) // 3 // 2  # those that name sim-coder
        world.until_row(lambda row: row["succeeded"] > others)
        world.watch(3.0)
        world.provider.behave("sim-nano", **mended)
        yield

    return act


def is_slow(world: FaultEnvironment) -> Iterator[None]:
    """Calls take so long that 300 are in flight when the cap is reached."""
    world.provider.behave("*", latency_ms=7000)
    extra = world.start("dispatch", "dispatch", "dispatch")
    yield
    world.until(lambda: in_flight(world) >= 300)
    yield
    world.stop(*extra)


def in_flight(world: FaultEnvironment) -> int:
    """By the ledger: money is reserved for them."""
    query = select(func.count()).select_from(attempt).where(attempt.c.state == "sent")
    with world.stack.store.read() as connection:
        return connection.execute(query).scalar_one()


def costly(world: FaultEnvironment) -> list[object]:
    run = f"{world.random.getrandbits(32):08x}"
    models = ("sim-coder", "sim-writer")
    return [{"prompt": f"{PROMPT} {run}: say {n}", "model": models[n % 2]} for n in range(900)]


def stopped_by_its_cap(books: StoreInvariants) -> bool:
    return books.outcomes.get("failed", 0) == books.row["budget_stops"] > 0


FAULTS: list[Fault] = [
    Fault(name="429 storm", number=12, act=storms),
    Fault(
        name="Retry-After of a year",
        number=12,
        act=asks_for_a_year,
        items=spoilt("rate_limit_huge", ["sim-nano"]),
    ),
    *(
        Fault(name="provider fails, no bill", variant=kind, number=13, act=nothing, items=spoilt(kind))
        for kind in _UNBILLED
    ),
    *(
        Fault(
            name="provider spoils its answer",
            variant=kind,
            number=13,
            act=nothing,
            items=spoilt(kind),
            resent=_SPOILT,
        )
        for kind in _BILLED
    ),
    *(
        Fault(name="provider lies about usage", variant=kind, number=13, act=nothing, items=spoilt(kind))
        for kind in _LIES
    ),
    Fault(
        name="401 in mid-batch",
        number=14,
        act=wants_people({"api_key": "another"}, {"api_key": KEY}),
    ),
    Fault(
        name="402 in mid-batch",
        number=14,
        act=wants_people({"failures": {"payment_required": 1.0}}, {"failures": {}}),
    ),
    Fault(
        name="cap hit, 300 in flight",
        number=15,
        act=is_slow,
        items=costly,
        budget=80_000,
        ends=stopped_by_its_cap,
    ),
]
