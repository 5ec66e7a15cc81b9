"""Mutation tests: with a rule removed from the code, the test that names it must fail.

Each rule is cut from the source in a forked child, which then runs the test on a store of its own: SQLite, or
PostgreSQL for what only that does.
That the tests pass where the rules stand is seen in tests/integration/store.
"""

from __future__ import annotations

import importlib
import inspect
import multiprocessing
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tasks.stages.dispatch.repository import DispatchRepository
from tasks.store import schema
from tasks.store.engine import Store
from tasks.store.unlocked import purses
from tests.support.stores import PostgresServer

_STORE = "tests.integration.store"
#: replaces a table by a copy, which has no keys
_KEYLESS = """
        migrations.upgrade(connection)
        connection.execute(text("CREATE TABLE keyless AS SELECT * FROM {0}"))
        connection.execute(text("DROP TABLE {0}"))
        connection.execute(text("ALTER TABLE keyless RENAME TO {0}"))
"""


@dataclass(frozen=True)
class Rule:
    """A rule: the module and code that hold it, what replaces the code, and the test that must then fail."""

    name: str
    module: str
    code: str
    instead: str
    test: str
    #: what a parametrized test is called with
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def needs_postgres(self) -> bool:
        """Whether the test is of what only PostgreSQL does."""
        return self.test.startswith("unlocked.")


def _unique(table: str, test: str) -> Rule:
    upgrade = "\n        migrations.upgrade(connection)\n"
    instead = _KEYLESS.format(table)
    return Rule(f"unique keys of {table}", "tasks.store.schema", upgrade, instead, f"test_races.{test}")


RULES = [
    _unique("outcome", "test_the_database_itself_refuses_a_second_outcome_of_a_request"),
    _unique("attempt", "test_the_database_itself_refuses_a_second_attempt_of_the_same_number"),
    _unique("request", "test_the_database_itself_refuses_a_custom_id_that_is_there"),
    Rule(
        "epoch of a claim",
        "tasks.store.claims",
        'chunk.c.epoch == bindparam("announced")',
        'chunk.c.epoch + bindparam("announced") >= 0',
        "test_races.test_a_message_from_before_a_postponement_finds_nothing",
    ),
    Rule(
        "state of a claim",
        "tasks.store.claims",
        'chunk.c.state == "queued",',
        "",
        "test_chunks.test_a_repeated_message_finds_its_chunk_claimed",
    ),
    Rule(
        "epoch of a write",
        "tasks.store.chunks",
        "chunk.c.epoch == held.epoch, ",
        "",
        "test_chunks.test_a_stale_epoch_changes_nothing",
    ),
    Rule(
        "owner of a lease",
        "tasks.store.chunks",
        "(chunk.c.owner == owner) & ",
        "",
        "test_chunks.test_only_the_holder_of_a_chunk_prolongs_its_lease",
    ),
    Rule(
        "room in the budget",
        "tasks.store.budgets",
        "one.worst <= left:",
        "True:",
        "test_ledger.test_the_budget_is_never_passed_by_300_reservations_at_once",
    ),
    Rule(
        "what waits for money is woken",
        "tasks.store.ledger",
        "*(waiting.wake(connection, batch_no) if has_budget else ())",
        "",
        "test_waiting.test_money_that_a_call_gives_back_wakes_as_many_as_it_does_for",
    ),
    Rule(
        "what waits for money looks again under the lock",
        "tasks.store.reservations",
        "    waiting.put(connection, batch_no, split.waiting)",
        "    split.waiting.extend(split.granted)\n    waiting.put(connection, batch_no, split.waiting)",
        "test_waiting.test_money_that_came_free_before_the_lock_makes_nothing_wait",
    ),
    Rule(
        "reservation is kept",
        "tasks.store.reservations",
        "reserved=worst, ",
        "",
        "test_ledger.test_a_reservation_becomes_the_real_cost",
    ),
    Rule(
        "holder of a reservation",
        "tasks.store.ledger",
        "        chunk.c.owner == owner,\n",
        "",
        "test_ledger.test_a_request_that_is_no_longer_held_gets_no_money",
    ),
    Rule(
        "reservation is found again",
        "tasks.store.reservations",
        "    granted += reserved\n",
        "",
        "test_ledger.test_a_reservation_whose_reply_was_lost_is_found_again_and_made_once",
    ),
    Rule(
        "fence of a settlement",
        "tasks.store.ledger",
        'in_(bindparam("keys", expanding=True)),\n    attempt.c.state == SENT,',
        'in_(bindparam("keys", expanding=True)),',
        "test_sweep.test_an_answer_after_its_worker_was_given_up_changes_nothing",
    ),
    Rule(
        "lost calls are charged in full",
        "tasks.store.ledger",
        'state="unknown", cost=attempt.c.reserved',
        'state="unknown", cost=0',
        "test_sweep.test_a_call_whose_worker_died_is_charged_in_full_exactly_once",
    ),
    Rule(
        "cost of an answer is bounded",
        "tasks.store.ledger",
        "most = reserved + room if settlement.is_bill else reserved",
        "most = 10**18",
        "test_ledger.test_an_answer_that_claims_to_cost_more_than_its_worst_case_is_charged_that",
    ),
    Rule(
        "one outcome is counted",
        "tasks.store.outcomes",
        'in_(bindparam("ids", expanding=True)), outcome.c.request_id.is_(None)',
        'in_(bindparam("ids", expanding=True))',
        "test_races.test_a_request_that_is_ended_twice_is_counted_once",
    ),
    Rule(
        "sweeper looks again",
        "tasks.store.sweep",
        "if connection.execute(still).first() is not None:",
        "if True:",
        "test_races.test_a_lease_that_is_renewed_between_the_sweepers_look_and_its_lock_is_kept",
    ),
    Rule(
        "stale stage hands nothing back",
        "tasks.store.sweep",
        "if _holds(connection, held):\n            dead",
        "if True:\n            dead",
        "test_races.test_a_failed_stage_takes_nothing_from_the_worker_that_has_the_chunk_now",
    ),
    Rule(
        "losses have an end",
        "tasks.store.sweep",
        "request.c.losses >= MAX_LOSSES)",
        "request.c.losses >= 99)",
        "test_sweep.test_a_request_whose_workers_keep_dying_is_dead_in_the_end",
    ),
    Rule(
        "duplicates share a call",
        "tasks.store.ingestion",
        "if original == row[",
        "if True or row[",
        "test_ingestion.test_duplicates_share_one_call_and_each_has_its_outcome",
    ),
    Rule(
        "messages are forgotten after they are published",
        "tasks.store.outbox",
        "update(outbox).where(outbox.c.id.in_(first)).values(available_at=lease_end)",
        "delete(outbox).where(outbox.c.id.in_(first))",
        "test_outbox.test_a_message_that_could_not_be_published_is_published_later",
    ),
    Rule(
        "fence of a settlement without the lock",
        "tasks.store.unlocked.settling",
        "     AND attempt.state = 'sent'\n",
        "",
        "unlocked.test_deltas.test_an_answer_after_its_worker_was_given_up_changes_nothing",
    ),
    Rule(
        "a bill above the worst case needs the lock",
        "tasks.store.unlocked.settling",
        "     AND NOT (settled.is_bill AND coalesce(settled.cost, 0) > attempt.reserved)\n",
        "",
        "unlocked.test_deltas.test_a_settlement_without_the_lock_writes_what_one_with_the_lock_writes",
        {"budget": 100_000},
    ),
    Rule(
        "cost of an answer is bounded without the lock",
        "tasks.store.unlocked.settling",
        "least(coalesce(settled.cost, attempt.reserved), attempt.reserved)",
        "coalesce(settled.cost, attempt.reserved)",
        "unlocked.test_deltas.test_a_settlement_without_the_lock_writes_what_one_with_the_lock_writes",
        {"budget": 100_000},
    ),
    Rule(
        "a cancelled batch sends nothing again",
        "tasks.store.unlocked.settling",
        "     AND (settled.ends OR batch.status <> 'cancelling')\n",
        "",
        "unlocked.test_deltas.test_what_a_cancelled_batch_would_send_again_ends",
    ),
    Rule(
        "holder of a reservation from a purse",
        "tasks.store.unlocked.reserving",
        "AND owner = %(owner)s AND state = 'claimed'",
        "AND state = 'claimed'",
        "unlocked.test_purses.test_a_purse_pays_for_no_request_whose_chunk_another_process_has_claimed",
    ),
    Rule(
        "money in a purse",
        "tasks.store.unlocked.reserving",
        "ELSE purse.amount >= %(worst)s END",
        "ELSE true END",
        "unlocked.test_purses.test_money_in_a_purse_is_reserved_and_whoever_is_short_of_money_takes_it_back",
    ),
    Rule(
        "a pause holds for purses",
        "tasks.store.unlocked.reserving",
        " AND batch.paused_at IS NULL",
        "",
        "unlocked.test_purses."
        "test_what_a_command_of_the_version_before_changes_holds_for_purses_without_a_bound",
        {"changed": {"paused_at": 1}},
    ),
    Rule(
        "a budget holds for purses without a bound",
        "tasks.store.unlocked.reserving",
        "batch.budget IS NULL AND payer.budget IS NULL",
        "true",
        "unlocked.test_purses."
        "test_what_a_command_of_the_version_before_changes_holds_for_purses_without_a_bound",
        {"changed": {"budget": 150}},
    ),
    Rule(
        "whoever is short of money looks at purses",
        "tasks.store.reservations",
        "        payers = deltas.exact_payers(connection, row)\n",
        "",
        "unlocked.test_purses.test_money_in_a_purse_is_reserved_and_whoever_is_short_of_money_takes_it_back",
    ),
    Rule(
        "the end of a batch takes its purses back",
        "tasks.store.batches",
        "if finished.rowcount:",
        "if False:",
        "unlocked.test_purses.test_the_purse_of_a_process_that_died_is_no_obstacle_to_the_end_of_its_batch",
    ),
    Rule(
        "duplicates end when the end of their original is folded",
        "tasks.store.unlocked.deltas",
        'if row["duplicates"]:',
        "if False:",
        "unlocked.test_deltas.test_a_duplicate_that_is_stored_while_its_original_ends_ends_as_well",
    ),
    Rule(
        "folded money wakes what waits for it",
        "tasks.store.unlocked.folding",
        'elif row["budget"] is not None or row["payer_no"] is not None:',
        "elif False:",
        "unlocked.test_deltas.test_money_that_comes_back_by_a_delta_wakes_what_waits_for_it",
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_that_is_taken_out_is_missed_by_the_test_that_names_it(
    rule: Rule, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'waybill.db'}"
    if rule.needs_postgres:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.database()
    assert _in_child(rule, url, cut=True) == "failed"


def test_the_same_test_passes_where_the_rule_stands(tmp_path: Path) -> None:
    assert _in_child(RULES[0], f"sqlite:///{tmp_path / 'waybill.db'}", cut=False) == "passed"


def _in_child(rule: Rule, url: str, *, cut: bool) -> str:
    """Return "passed", "failed" (an assertion) or another error's traceback."""
    module, _, name = rule.test.rpartition(".")
    test = getattr(importlib.import_module(f"{_STORE}.{module}"), name)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe()
    child = context.Process(target=_run, args=(sender, test, rule, url, cut))
    child.start()
    outcome: str = receiver.recv() if receiver.poll(200) else "it hangs"
    child.kill()
    child.join()
    return outcome


def _run(pipe: Any, test: Callable[..., None], rule: Rule, url: str, cut: bool) -> None:
    try:
        if cut:
            _cut(rule)
        store = Store(url)
        schema.ensure_schema(store)
        _call(test, store, rule.given)
        pipe.send("passed")
    except (AssertionError, pytest.fail.Exception):
        pipe.send("failed")
    except BaseException:
        pipe.send(traceback.format_exc())


def _cut(rule: Rule) -> None:
    module = importlib.import_module(rule.module)
    source = inspect.getsource(module)
    if source.count(rule.code) != 1:  # no assertion: that would count as the test's own failure
        raise LookupError(f"{rule.module} holds {rule.code!r} {source.count(rule.code)} times")
    exec(compile(source.replace(rule.code, rule.instead), module.__file__ or "", "exec"), module.__dict__)


def _call(test: Callable[..., None], store: Store, more: dict[str, Any]) -> None:
    """Call the test with the fixtures that tests of the store use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(purses, "LEAST", 1)
        given = {"store": store, "monkeypatch": patch, "worker": partial(DispatchRepository, store), **more}
        test(**{name: given[name] for name in inspect.signature(test).parameters})
