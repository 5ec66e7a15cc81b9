"""What counts as evidence against a model: failures by request and batch, and refusals by prompt."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from tasks.limits import Circuit, CircuitTransition, Origin, RedisLimiter, Refusal
from tasks.limits.interface import PROBE_POLL_S, REFUSALS_OF_PROMPTS, REFUSALS_WHILE_ANSWERING
from tests.support.breakers import LEASE_S, NONE, RULES, RunScenario, call, fail, from_batch, probe
from tests.support.comparisons import assert_fields
from tests.support.limiters import TimedLimiter


def test_one_request_that_fails_again_and_again_counts_once(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        assert await fail(limiter, model, "bad", *"abc" * 20) == [None] * 60
        assert await limiter.not_closed([model]) == set()
        grant = await limiter.acquire(model, NONE, [1] * 3, lease_s=LEASE_S)
        together = await limiter.release(
            model, grant.slot_ids, healthy=False, origins=from_batch("bad", "a", "b", "c")
        )
        assert together is None
        assert await fail(limiter, model, "bad", "d") == [CircuitTransition(RULES.open_s, 4, 4)]

    run_scenario(scenario)


def test_a_batch_without_part_in_the_failures_may_probe_an_open_circuit_at_once(
    run_scenario: RunScenario,
) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await fail(limiter, model, "bad", *"abcd")
        waiting = from_batch("bad", "e", "f")
        held = await limiter.acquire(model, NONE, [1, 1], lease_s=LEASE_S, origins=waiting)
        assert_fields(held, slot_ids=(), circuit=Circuit.OPEN, involved=(True, True))
        both = [*waiting, *from_batch("good", "x", "y")]
        grant = await limiter.acquire(model, NONE, [1] * 4, lease_s=LEASE_S, origins=both)
        assert (len(grant.slot_ids), grant.first) == (1, 2)
        assert grant.involved == (True, True, False, False)
        second = await limiter.acquire(model, NONE, [1], lease_s=LEASE_S, origins=from_batch("good", "y"))
        assert_fields(second, slot_ids=(), circuit=Circuit.OPEN)
        closed = await limiter.release(model, grant.slot_ids, healthy=True, origins=both[2:3])
        assert closed == CircuitTransition()
        assert await limiter.not_closed([model]) == set()

    run_scenario(scenario)


def test_a_request_that_was_sent_before_is_no_probe_for_an_open_circuit(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await fail(limiter, model, "bad", *"abcd")
        sent_before = from_batch("good", "x", is_fresh=False)
        grant = await limiter.acquire(model, NONE, [1], lease_s=LEASE_S, origins=sent_before)
        assert_fields(grant, slot_ids=(), circuit=Circuit.OPEN, involved=(False,))

    run_scenario(scenario)


def test_three_batches_that_fail_show_that_the_model_does(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await fail(limiter, model, "one", *"abcd")
        for batch in ("two", "three"):
            assert await probe(limiter, model, from_batch(batch, "x"), healthy=False) is None
        fourth = await limiter.acquire(model, NONE, [1], lease_s=LEASE_S, origins=from_batch("four", "x"))
        assert_fields(fourth, slot_ids=(), circuit=Circuit.OPEN, involved=(True,))

    run_scenario(scenario)


def test_the_failures_of_a_batch_that_another_one_has_contradicted_do_not_count(
    run_scenario: RunScenario,
) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await fail(limiter, model, "bad", *"abcd")
        assert await probe(limiter, model, from_batch("good", "x"), healthy=True) == CircuitTransition()
        assert await fail(limiter, model, "bad", *"efghijklm") == [None] * 9
        # until a request of it is answered, or the longest open time has passed
        assert await probe(limiter, model, from_batch("bad", "n"), healthy=True) is None
        assert await fail(limiter, model, "bad", *"opq") == [
            None,
            None,
            CircuitTransition(RULES.open_s, 3, 4),
        ]
        assert await probe(limiter, model, from_batch("good", "y"), healthy=True) == CircuitTransition()
        await limiter.pass_time(RULES.open_cap_s + 1)
        assert (await fail(limiter, model, "bad", *"stuv"))[-1] == CircuitTransition(RULES.open_s, 4, 4)

    run_scenario(scenario)


def test_half_open_prefers_requests_that_were_never_sent_and_then_takes_the_others(
    run_scenario: RunScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("tasks.limits.redis", "tasks.limits.memory_circuit"):
        monkeypatch.setattr(f"{module}.PROBE_GRACE_S", 400)

    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await fail(limiter, model, "one", *"abcd")
        await limiter.pass_time(RULES.open_s + 1)
        failed = from_batch("one", "a", "b", is_fresh=False)
        grant = await limiter.acquire(model, NONE, [1, 1], lease_s=LEASE_S, origins=failed)
        assert_fields(grant, slot_ids=(), circuit=Circuit.HALF_OPEN)
        assert 0 < grant.wait_s <= PROBE_POLL_S
        fresh = [*failed, *from_batch("one", "e")]
        grant = await limiter.acquire(model, NONE, [1] * 3, lease_s=LEASE_S, origins=fresh)
        assert (len(grant.slot_ids), grant.first) == (1, 2)
        await limiter.release(model, grant.slot_ids)
        await limiter.pass_time(401)
        grant = await limiter.acquire(model, NONE, [1, 1], lease_s=LEASE_S, origins=failed)
        assert (len(grant.slot_ids), grant.first) == (1, 0)

    run_scenario(scenario)


def test_one_refused_prompt_holds_nobody_and_is_at_fault_once_another_is_answered(
    run_scenario: RunScenario,
) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        flagged = Origin("flagged", "one")
        refuse = partial(limiter.refuse, model, 300, origin=flagged, enough=REFUSALS_OF_PROMPTS)
        assert await refuse() is Refusal.UNDECIDED
        assert await refuse() is Refusal.UNDECIDED  # the same request says nothing new
        assert await limiter.not_closed([model]) == set()
        assert await call(limiter, model, True) is None
        assert await refuse() is Refusal.OF_REQUEST
        assert await limiter.not_closed([model]) == set()

    run_scenario(scenario)


def test_two_refused_prompts_hold_a_model_that_answers_nobody(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        refuse = partial(limiter.refuse, model, 300, enough=REFUSALS_OF_PROMPTS)
        assert await refuse(origin=Origin("a", "one")) is Refusal.UNDECIDED
        assert await refuse(origin=Origin("b", "one")) is Refusal.OF_MODEL
        held = await limiter.acquire(model, NONE, [1], lease_s=LEASE_S, origins=from_batch("one", "c"))
        assert_fields(held, slot_ids=(), circuit=Circuit.ON_HOLD, involved=(True,))
        # Another batch may show at once that the others are at fault.
        assert await probe(limiter, model, from_batch("two", "x"), healthy=True) == CircuitTransition()
        assert (await limiter.acquire(model, NONE, [1, 1], lease_s=LEASE_S)).circuit is Circuit.CLOSED
        assert await refuse(origin=Origin("d", "one")) is Refusal.UNDECIDED

    run_scenario(scenario)


def test_while_others_are_answered_a_hold_takes_five_different_refusals_in_a_row(
    run_scenario: RunScenario,
) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await call(limiter, model, True)
        for request in "abcd":
            assert await limiter.refuse(model, 300, origin=Origin(request, "one")) is Refusal.UNDECIDED
        await call(limiter, model, True)
        for request in "efgh":
            assert await limiter.refuse(model, 300, origin=Origin(request, "one")) is Refusal.UNDECIDED
        assert await limiter.refuse(model, 300, origin=Origin("i", "one")) is Refusal.OF_MODEL

    run_scenario(scenario)


def test_a_probe_that_is_refused_as_well_holds_the_model_again(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        assert await limiter.refuse(model, 50, origin=Origin("a", "one")) is Refusal.OF_MODEL
        await limiter.pass_time(51)
        again = await limiter.refuse(model, 50, origin=Origin("b", "one"), enough=REFUSALS_WHILE_ANSWERING)
        assert again is Refusal.OF_MODEL

    run_scenario(scenario)


def test_what_is_remembered_of_requests_is_bounded_and_expires(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.limits.redis.MAX_REMEMBERED", 10)

    async def scenario() -> None:
        async with Redis.from_url(redis_url) as client:
            limiter, model = RedisLimiter(client, replace(RULES, min_calls=1000)), f"model-{uuid4().hex}"
            for n in range(30):
                await fail(limiter, model, f"batch {n}", f"request {n}")
                await limiter.refuse(model, 0.001, origin=Origin(f"request {n}"), enough=1000)
            for part in ("failing", "failed", "refused"):
                assert await client.zcard(f"limit:{model}:{part}") == 10
                assert await client.pttl(f"limit:{model}:{part}") > 0

    asyncio.run(scenario())
