"""Random sequences of steps: the store must do what a simple model of it does, on both databases."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select, update

from tasks.errors import UsageError
from tasks.stages.dispatch.repository import DispatchRepository
from tasks.store import (
    batches,
    chunk_requests,
    chunks,
    claims,
    control,
    ledger,
    outbox,
    reservations,
    sweep,
    waiting,
)
from tasks.store.engine import Store
from tasks.store.ids import request_id
from tasks.store.outbox import Message
from tasks.store.tables import attempt, chunk, request
from tasks.store.unlocked import deltas, folding, purses
from tasks.store.values import HeldRequest, Requeue, ReservationRequest, ReservationResult
from tests.support import store_builders
from tests.support.comparisons import assert_batch
from tests.support.store_model import ENDS, BatchModel

WORKERS = st.sampled_from(["ann", "bob"])
FOLLOWING = st.sampled_from(
    [store_builders.ANSWER, store_builders.REFUSED, Requeue(0), Requeue(0, model="large")]
)
COSTS = st.sampled_from([None, 0, 40, 500])
LINES, DUPLICATES = 4, {5: 1, 6: 2}
WORST = 100
#: many examples under `make faults`
EXAMPLES, STEPS = (400, 50) if os.environ.get("FAULTS") == "all" else (8, 25)


@dataclass(frozen=True)
class Sent:
    """A call that a worker believes to be in flight."""

    request: HeldRequest
    number: int


class OneBatch(RuleBasedStateMachine):
    """Two workers, a relay, a sweeper and a user act on one batch of six requests, two of them duplicates."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.mail: list[Message] = []
        self.held: dict[str, list[HeldRequest]] = {"ann": [], "bob": []}
        self.sent: dict[str, list[Sent]] = {"ann": [], "bob": []}
        self.ended: dict[int, str] = {}
        self.workers = {who: DispatchRepository(store, who) for who in ("ann", "bob")}
        #: whether ends of requests wait to be folded: duplicates and the batch end then
        self.lags = False
        #: the chunk in which each line was claimed last
        self.chunk_of: dict[int, int] = {}

    @initialize(budget=st.sampled_from([None, 250, 700, 1_000]))
    def submit(self, budget: int | None) -> None:
        items = [*store_builders.lines(LINES)]
        items += [
            store_builders.line(n, body=f'{{"messages":[{original}]}}') for n, original in DUPLICATES.items()
        ]
        self.batch_no = store_builders.submit(
            self.store, items, budget=budget, options=store_builders.BatchOptions(group_size=2)
        )
        self.model = BatchModel(LINES, DUPLICATES, budget)

    # Messages

    @rule(works=st.booleans())
    def relay(self, works: bool) -> None:
        def publish(messages: Sequence[Message]) -> None:
            if not works:
                raise ConnectionError
            self.mail += self._own(messages)

        try:
            outbox.relay(self.store, publish)
        except ConnectionError:
            self._pass_time()

    @rule()
    def lose_messages_and_announce_again(self) -> None:
        self.mail.clear()
        with self.store.write() as connection:
            connection.execute(update(chunk).where(chunk.c.published_at > 1).values(published_at=1))
        sweep.republish(self.store, {}, after_s=0)

    @rule(who=WORKERS, data=st.data())
    def receive(self, who: str, data: st.DataObject) -> None:
        """Any message, the same one again and old ones included."""
        if not self.mail:
            return
        message = data.draw(st.sampled_from(self.mail))
        with self.store.write() as connection:
            got = claims.claim(
                connection, message.chunk_id, message.epoch, stage=message.stage, owner=who, lease_s=60
            )
        if got is not None:
            with self.store.read() as connection:
                self._take(who, chunk_requests.requests_of(connection, got.id))

    @rule(who=WORKERS)
    def claim_all(self, who: str) -> None:
        self._take(who, store_builders.held(self.store, self.batch_no, owner=who))

    # Calls

    @rule(who=WORKERS, data=st.data(), again=st.booleans())
    def reserve(self, who: str, data: st.DataObject, again: bool) -> None:
        """By what the worker knows, which may be old; `again`: it did not hear whether it was granted."""
        if not self.held[who]:
            return
        one = data.draw(st.sampled_from(self.held[who]))
        number = one.attempts + 1
        line = self._line(one)
        # What was lost and is held again is another chunk's: the old entry must not reserve for it.
        current = self.chunk_of[line] == one.chunk_id
        expected = self.model.reserve(line, number, WORST, who) if current else "lost"
        for _ in range(2 if again else 1):
            result = self._reserve(one, number, who)
            assert _answer(result, one.id) == expected
        self.held[who].remove(one)
        if expected == "granted":
            self.sent[who].append(Sent(one, number))
        elif expected == "refused":
            with self.store.write() as connection:
                ledger.apply_results(
                    connection, self.batch_no, [store_builders.without_call(one, store_builders.REFUSED)]
                )
            self.model.end(line, "failed")

    @rule(who=WORKERS, data=st.data(), again=st.booleans())
    def put_off(self, who: str, data: st.DataObject, again: bool) -> None:
        """Let a request wait in the store for money; `again`: the worker did not hear that it does."""
        if not self.held[who]:
            return
        one = data.draw(st.sampled_from(self.held[who]))
        current = self.chunk_of[self._line(one)] == one.chunk_id
        for _ in range(2 if again else 1):
            expected = (
                self.model.put_off(self._line(one), one.attempts + 1, WORST, who) if current else "lost"
            )
            calls = [self._reservation(one, one.attempts + 1)]
            with self.store.write() as connection:
                result = reservations.put_off(connection, self.batch_no, calls, owner=who)
            answers = [name for name in ("granted", "waiting", "refused", "lost") if getattr(result, name)]
            assert answers == [expected] * bool(expected)
        if expected in ("waiting", "lost"):
            self.held[who].remove(one)

    @rule()
    def wake(self) -> None:
        """The sweeper finds nothing to wake: every step that changed the money has woken what it could."""
        sweep.wake(self.store)

    @rule()
    def fold(self) -> None:
        assert folding.fold_batch(self.store, self.batch_no)
        self.lags = False

    @rule(
        who=WORKERS,
        data=st.data(),
        end=FOLLOWING,
        cost=COSTS,
        again=st.booleans(),
        way=st.sampled_from(["fold", "delta", "lock"]),
    )
    def settle(
        self,
        who: str,
        data: st.DataObject,
        end: store_builders.RequestResult | Requeue,
        cost: int | None,
        again: bool,
        way: str,
    ) -> None:
        """Also calls that were given up since, and twice; without a budget, deltas may wait to be folded.

        Some settle under the batch's lock, as workers of the version before do.
        """
        if not self.sent[who]:
            return
        call = data.draw(st.sampled_from(self.sent[who]))
        self.sent[who].remove(call)
        for _ in range(2 if again else 1):
            settlement = store_builders.settlement(call.request, end, cost=cost, number=call.number)
            if way == "lock":
                with self.store.write() as connection:
                    ledger.settle(connection, self.batch_no, [settlement])
            elif self.workers[who].settle(self.batch_no, [settlement]):
                self.lags = True
        self.model.settle(self._line(call.request), call.number, cost, end)
        if way == "fold" or self.model.budget is not None:
            self.fold()

    # Leases

    @rule(who=WORKERS)
    def renew(self, who: str) -> None:
        with self.store.read() as connection:
            mine = select(chunk.c.id).where(chunk.c.batch_no == self.batch_no)
            ids = list(connection.execute(mine).scalars())
        with self.store.write() as connection:
            kept = chunks.extend(connection, ids, owner=who, lease_s=60)
        if self.model.held_by(who):
            assert kept != set(), f"no lease of {who} was renewed"

    @rule(who=WORKERS, knows=st.booleans())
    def lose_lease(self, who: str, knows: bool) -> None:
        """The worker may learn of it, by dying, or go on as if nothing had happened."""
        with self.store.write() as connection:
            mine = (chunk.c.owner == who) & (chunk.c.state == "claimed") & (chunk.c.batch_no == self.batch_no)
            connection.execute(update(chunk).where(mine).values(lease_until=1))
        store_builders.at_once(1, lambda _: sweep.expire(self.store))
        self.model.expire(who)
        if knows:
            self.held[who], self.sent[who] = [], []

    @rule()
    def sweep_without_reason(self) -> None:
        sweep.expire(self.store)

    @rule(who=WORKERS)
    def hand_back(self, who: str) -> None:
        """A worker that stops frees what it has not sent."""
        unsent = [n for n in self.model.held_by(who) if not self.model.lines[n].in_flight]
        with self.store.write() as connection:
            ids = [request_id(self.batch_no, n) for n in unsent]
            chunks.hand_back(connection, self.batch_no, ids, owner=who)
        self.model.hand_back(who)
        self.held[who] = []

    @rule()
    def regroup(self) -> None:
        sweep.regroup(self.store)
        self.model.regroup()

    # The user

    @rule()
    def cancel(self) -> None:
        with self.store.write() as connection:
            control.cancel(connection, store_builders.row(self.store, self.batch_no)["id"])
        self.model.cancel()
        self.lags = False

    @rule(budget=st.sampled_from([None, 5_000]))
    def retry(self, budget: int | None) -> None:
        try:
            with self.store.write() as connection:
                control.retry(connection, store_builders.row(self.store, self.batch_no)["id"], budget=budget)
            retried = True
            self.lags = False
        except UsageError:
            retried = False
        assert retried == self.model.retry(budget)
        if retried:
            self.ended = {line: status for line, status in self.ended.items() if status == "succeeded"}

    # Invariants

    @invariant()
    def the_store_is_as_the_model(self) -> None:
        with self.store.read() as connection:
            mine = request.c.batch_no == self.batch_no
            query = select(request.c.id, request.c.state, request.c.next_attempt_at > waiting.NEVER)
            rows = connection.execute(query.where(mine)).all()
            calls = connection.execute(
                select(attempt.c.request_id, attempt.c.state, attempt.c.reserved, attempt.c.cost)
                .where(attempt.c.batch_no == self.batch_no)
                .order_by(attempt.c.request_id, attempt.c.number)
            ).all()
            stored = deltas.with_unfolded(connection, batches.by_number(connection, self.batch_no))
        lines = self.model.lines
        late = {n for n, original in DUPLICATES.items() if self.lags and lines[original].state in ENDS}
        base = request_id(self.batch_no, 0)
        found = {id_ - base: (state, state == "ready" and waits) for id_, state, waits in rows}
        assert {n: state for n, state in found.items() if n not in late} == {
            n: (ln.stored_state, ln.waits_for is not None) for n, ln in lines.items() if n not in late
        }
        assert [(c.request_id - base, c.state, c.reserved, c.cost) for c in calls] == [
            (n, call.state, call.reserved, call.cost) for n, ln in lines.items() for call in ln.calls
        ]
        if not self.lags:
            assert stored["status"] == self.model.status
        assert_batch(
            stored,
            spent=self.model.spent,
            reserved=self.model.reserved,
            budget=self.model.budget,
        )

    @invariant()
    def the_ledger_is_the_sum_of_its_calls_and_what_has_ended_stays(self) -> None:
        store_builders.check_ledger(self.store, self.batch_no)
        now = store_builders.outcomes(self.store, self.batch_no)
        assert {line: now.get(line) for line in self.ended} == self.ended
        self.ended = now

    def teardown(self) -> None:
        """Whatever happened, the batch ends, even if every worker dies from now on."""
        if not hasattr(self, "batch_no"):
            return
        for _ in range(LINES * sweep.MAX_LOSSES):
            sweep.regroup(self.store)
            self._send_and_die()
            folding.fold_all(self.store)
        row = store_builders.row(self.store, self.batch_no)
        assert row["status"] in ("completed", "cancelled"), row

    def _send_and_die(self) -> None:
        for one in store_builders.held(self.store, self.batch_no):
            if one.id in store_builders.reserve(self.store, [one]).refused:
                with self.store.write() as connection:
                    ledger.apply_results(
                        connection, self.batch_no, [store_builders.without_call(one, store_builders.REFUSED)]
                    )
        store_builders.expire_leases(self.store)
        sweep.expire(self.store)

    def _take(self, who: str, requests: Sequence[HeldRequest]) -> None:
        self.model.claim([self._line(one) for one in requests], who)
        self.held[who] += requests
        self.chunk_of |= {self._line(one): one.chunk_id for one in requests}

    def _reserve(self, one: HeldRequest, number: int, who: str) -> ReservationResult:
        return self.workers[who].reserve(self.batch_no, [self._reservation(one, number)])

    def _reservation(self, one: HeldRequest, number: int) -> ReservationRequest:
        return ReservationRequest(one.id, one.chunk_id, number, one.model or "small", WORST)

    def _own(self, messages: Sequence[Message]) -> list[Message]:
        """Those of this batch: what earlier examples left must not change what can be drawn."""
        with self.store.read() as connection:
            mine = select(chunk.c.id).where(chunk.c.batch_no == self.batch_no)
            ids = set(connection.execute(mine).scalars())
        return [message for message in messages if message.chunk_id in ids]

    def _line(self, one: HeldRequest) -> int:
        return one.id - request_id(self.batch_no, 0)

    def _pass_time(self) -> None:
        """What a relay had taken may be taken again."""
        with self.store.write() as connection:
            connection.execute(update(outbox.outbox).values(available_at=0))


def _answer(result: ReservationResult, one: int) -> str:
    """Return how a request's reservation was answered."""
    return next(name for name in ("granted", "waiting", "refused", "lost") if one in getattr(result, name))


@pytest.mark.timeout(1800)  # `make faults`: 400 examples on PostgreSQL took 450 s beside other work
def test_the_store_does_what_its_model_does(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PART": 2, "LEAST": 1}.items():  # purses even of small budgets
        monkeypatch.setattr(purses, name, value)
    run_state_machine_as_test(
        lambda: OneBatch(store),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
