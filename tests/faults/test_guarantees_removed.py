"""Mutation tests: with a rule removed from the code, the test that names it must fail.

Each rule is cut from the source in a forked child, which then runs the test on a SQLite store of its own.
That the tests pass where the rules stand is seen in tests/integration/store.
"""

from __future__ import annotations

import importlib
import inspect
import multiprocessing
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tasks.store import schema
from tasks.store.engine import Store

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
        "tasks.store.chunks",
        "chunk.c.epoch == epoch, ",
        "",
        "test_races.test_a_message_from_before_a_postponement_finds_nothing",
    ),
    Rule(
        "state of a claim",
        "tasks.store.chunks",
        'chunk.c.stage == stage, chunk.c.state == "queued"',
        "chunk.c.stage == stage",
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
        "tuple_(attempt.c.request_id, attempt.c.number).in_(keys), attempt.c.state == SENT",
        "tuple_(attempt.c.request_id, attempt.c.number).in_(keys)",
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
        "most = math.inf",
        "test_ledger.test_an_answer_that_claims_to_cost_more_than_its_worst_case_is_charged_that",
    ),
    Rule(
        "one outcome is counted",
        "tasks.store.outcomes",
        "request.c.id.in_(list(final)), outcome.c.request_id.is_(None)",
        "request.c.id.in_(list(final))",
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
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_that_is_taken_out_is_missed_by_the_test_that_names_it(rule: Rule, tmp_path: Path) -> None:
    assert _in_child(rule, tmp_path, cut=True) == "failed"


def test_the_same_test_passes_where_the_rule_stands(tmp_path: Path) -> None:
    assert _in_child(RULES[0], tmp_path, cut=False) == "passed"


def _in_child(rule: Rule, folder: Path, *, cut: bool) -> str:
    """Return "passed", "failed" (an assertion) or another error's traceback."""
    module, _, name = rule.test.rpartition(".")
    test = getattr(importlib.import_module(f"{_STORE}.{module}"), name)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe()
    child = context.Process(target=_run, args=(sender, test, rule if cut else None, folder))
    child.start()
    outcome: str = receiver.recv() if receiver.poll(60) else "it hangs"
    child.kill()
    child.join()
    return outcome


def _run(pipe: Any, test: Callable[..., None], rule: Rule | None, folder: Path) -> None:
    try:
        if rule is not None:
            _cut(rule)
        store = Store(f"sqlite:///{folder / 'waybill.db'}")
        schema.ensure_schema(store)
        _call(test, store)
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


def _call(test: Callable[..., None], store: Store) -> None:
    """Call the test with the fixtures that tests of the store use."""
    with pytest.MonkeyPatch.context() as patch:
        given = {"store": store, "monkeypatch": patch}
        test(**{name: given[name] for name in inspect.signature(test).parameters})
