"""Whatever order things happen in, the books balance and what has ended stays as it is."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tasks.errors import UsageError
from tasks.store import control, ledger, sweep
from tasks.store.engine import Store
from tasks.store.schema import ensure_schema
from tasks.store.values import Again, HeldRequest
from tests.support import work

WORKERS = st.sampled_from(["ann", "bob"])
ENDS = st.sampled_from([work.ANSWER, work.REFUSED, Again(0), Again(0, model="large")])


class OneBatch(RuleBasedStateMachine):
    """Two workers, a sweeper and a user act on one batch of six requests, two of them duplicates."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.store = Store(f"sqlite:///{Path(self._folder.name) / 'waybill.db'}")
        ensure_schema(self.store)
        self.held: dict[str, list[HeldRequest]] = {"ann": [], "bob": []}
        self.sent: dict[str, list[HeldRequest]] = {"ann": [], "bob": []}
        self.ended: dict[int, str] = {}

    @initialize(budget=st.sampled_from([None, 250, 1_000]))
    def submit(self, budget: int | None) -> None:
        items = [*work.lines(4), work.line(5, body='{"messages":[1]}'), work.line(6, body='{"messages":[2]}')]
        self.batch_no = work.submit(self.store, items, budget=budget)

    @rule(who=WORKERS)
    def claim(self, who: str) -> None:
        self.held[who] += work.held(self.store, self.batch_no, owner=who)

    @rule(who=WORKERS)
    def reserve(self, who: str) -> None:
        if self.held[who]:
            one = self.held[who].pop()
            if work.reserve(self.store, [one], owner=who).granted:
                self.sent[who].append(one)

    @rule(who=WORKERS, end=ENDS, cost=st.sampled_from([None, 0, 40, 500]))
    def settle(self, who: str, end: work.Final | Again, cost: int | None) -> None:
        if self.sent[who]:
            work.settle(self.store, [self.sent[who].pop()], next=end, cost=cost)

    @rule(who=WORKERS)
    def crash(self, who: str) -> None:
        self.held[who], self.sent[who] = [], []
        self.lose_leases()

    @rule()
    def lose_leases(self) -> None:
        work.expire_leases(self.store)
        sweep.expire(self.store)

    @rule()
    def regroup(self) -> None:
        sweep.regroup(self.store)

    @rule()
    def cancel(self) -> None:
        with self.store.write() as connection:
            control.cancel(connection, work.row(self.store, self.batch_no)["id"])

    @rule(budget=st.sampled_from([None, 5_000]))
    def retry(self, budget: int | None) -> None:
        try:
            with self.store.write() as connection:
                control.retry(connection, work.row(self.store, self.batch_no)["id"], budget=budget)
        except UsageError:
            return
        self.ended = {line: status for line, status in self.ended.items() if status == "succeeded"}

    @invariant()
    def books_balance(self) -> None:
        work.check_books(self.store, self.batch_no)

    @invariant()
    def what_has_ended_stays_and_a_batch_ends_with_its_requests(self) -> None:
        now = work.outcomes(self.store, self.batch_no)
        assert now.items() >= self.ended.items()
        finished = work.row(self.store, self.batch_no)["status"] in ("completed", "cancelled")
        assert finished == (len(now) == 6)
        self.ended = now

    def teardown(self) -> None:
        """Whatever happened, the batch ends, even if every worker dies from now on."""
        for _ in range(6 * sweep.MAX_LOSSES):
            sweep.regroup(self.store)
            self._send_and_die()
        assert work.row(self.store, self.batch_no)["status"] in ("completed", "cancelled")
        self._folder.cleanup()

    def _send_and_die(self) -> None:
        for one in work.held(self.store, self.batch_no):
            if one.id in work.reserve(self.store, [one]).refused:
                with self.store.write() as connection:
                    ledger.follow(connection, self.batch_no, [(one.id, work.REFUSED, 0)])
        self.lose_leases()


TestOneBatch = OneBatch.TestCase
TestOneBatch.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)
