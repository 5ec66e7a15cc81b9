"""Tests of the checkers: each must name a violation that is made on purpose."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tasks.store.engine import Store
from tasks.store.values import RequestResult
from tests.faults import results
from tests.faults.catalogue import ALL
from tests.faults.fault_environment import FaultEnvironment
from tests.faults.fault_runs import run_and_record
from tests.faults.nemesis import Fault
from tests.faults.tally import ProviderRecords, Tally, tally
from tests.support import store_builders
from tests.support.comparisons import assert_batch
from tests.support.invariants import BatchTotals, check_batch, check_bill
from tests.support.secrets import leaks
from tests.support.stores import new_sqlite
from workers.simulator import messages_digest, text_digest

PROMPTS = 3
COST, BILL, CAP = 30, 25, 1_000


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """SQLite alone: the checkers read both stores in the same way."""
    return new_sqlite(tmp_path / "waybill.db")


@pytest.fixture
def batch_id(store: Store) -> str:
    """A batch without a fault: three answered requests, a duplicate, and their calls on the ledger."""
    bodies = [_body(n) for n in (1, 2, 3, 1)]
    items = [store_builders.line(n, body=body) for n, body in enumerate(bodies, start=1)]
    batch_no = store_builders.submit(store, items, budget=CAP)
    for one in sorted(store_builders.held(store, batch_no), key=lambda one: one.id):
        store_builders.reserve(store, [one])
        answer = {"id": f"reply-{one.id & 0xFF}", "choices": [{"message": {"content": "four"}}]}
        store_builders.settle(
            store, [one], next=RequestResult("succeeded", model="small", body=json.dumps(answer)), cost=COST
        )
    return str(store_builders.row(store, batch_no)["id"])


def _body(number: int) -> str:
    return json.dumps({"messages": _messages(number)})


def _messages(number: int) -> list[dict[str, Any]]:
    return [{"role": "user", "content": f"say {number}"}]


def provider_records(**changed: Any) -> ProviderRecords:
    """Return the provider's records that match the batch."""
    digests = {n: messages_digest(_messages(n)) for n in range(1, PROMPTS + 1)}
    stats = {"received": PROMPTS, "billed": PROMPTS, "billed_micro_usd": PROMPTS * BILL}
    return ProviderRecords(
        stats | changed,
        {digest: {"calls": 1} for digest in digests.values()},
        {digest: {f"reply-{n}": text_digest("four")} for n, digest in digests.items()},
    )


def spoil(store: Store, *statements: str) -> None:
    with store.write() as connection:
        for statement in statements:
            connection.execute(text(statement))


FIRST = "(SELECT min(id) FROM request)"
#: statements that break an invariant, and its name
VIOLATIONS = {
    "an outcome is gone": ([f"DELETE FROM outcome WHERE request_id = {FIRST}"], "lost"),
    "a request never ended": ([f"UPDATE request SET state = 'ready' WHERE id = {FIRST}"], "lost"),
    "a request ended twice": (
        [
            "CREATE TABLE twice AS SELECT * FROM outcome",
            "DROP TABLE outcome",
            "ALTER TABLE twice RENAME TO outcome",
            f"INSERT INTO outcome SELECT * FROM outcome WHERE request_id = {FIRST}",
        ],
        "doubled",
    ),
    "an answer was altered": (
        [f"UPDATE outcome SET body = replace(body, 'four', 'five') WHERE request_id = {FIRST}"],
        "wrong",
    ),
    "an answer belongs to another request": (
        [f"UPDATE outcome SET body = (SELECT max(body) FROM outcome) WHERE request_id = {FIRST}"],
        "wrong",
    ),
    "an attempt is not on the ledger": ([f"DELETE FROM attempt WHERE request_id = {FIRST}"], "unledgered"),
    "the ledger is below the bill": (["UPDATE attempt SET cost = 1"], "underpaid"),
    "more was spent than the cap": ([f"UPDATE batch SET spent = {CAP + 1}"], "overspent"),
}


def test_a_sound_batch_breaks_nothing(store: Store, batch_id: str) -> None:
    counted = tally(store, batch_id, provider_records())
    assert counted == Tally(requests=PROMPTS + 1)
    assert counted.broken == {}
    check_batch(store, batch_id)


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_each_violation_is_counted_under_its_name(store: Store, batch_id: str, violation: str) -> None:
    statements, name = VIOLATIONS[violation]
    spoil(store, *statements)
    assert name in tally(store, batch_id, provider_records()).broken


def test_a_cap_that_was_passed_for_a_moment_is_counted(store: Store, batch_id: str) -> None:
    assert tally(store, batch_id, provider_records(), peak=CAP + 7).broken == {"overspent": 7}


def test_a_call_that_no_attempt_announced_is_counted(store: Store, batch_id: str) -> None:
    assert tally(store, batch_id, provider_records(received=PROMPTS + 2)).broken == {"unledgered": 2}


def test_a_call_that_was_paid_twice_is_counted_and_bounded(store: Store, batch_id: str) -> None:
    records = provider_records()
    twice = {digest: {"calls": 2} for digest in records.billed}
    counted = tally(store, batch_id, replace(records, billed=twice))
    assert counted.paid_again == PROMPTS
    assert counted.unknown + counted.charged == 0, "and none of it is on the ledger"
    fault = Fault(name="", number=0, inject=lambda environment: iter(()))
    assert fault.bound == 0
    assert replace(fault, crashes=1).bound > PROMPTS


@pytest.mark.parametrize("spelling", [str, lambda s: json.dumps({"x": s}), lambda s: f"..{s}.."])
def test_a_leak_is_found(spelling: Callable[[str], str]) -> None:
    assert leaks({"log": "nothing", "redis": spelling("sk-é-key").encode()}, ["sk-é-key"]) == [
        ("redis", "sk-é-key")
    ]


#: statements that make a batch contradict its rows, and what the failure must show
UNSOUND = {
    "still running": ("UPDATE batch SET status = 'in_progress'", "has not ended.*'in_progress'"),
    "a request never ended": (f"UPDATE request SET state = 'held' WHERE id = {FIRST}", "{'held': 1}"),
    "a request too many": ("UPDATE batch SET total = total + 1", "'total': 5.* != .*'total': 4"),
    "a state without its outcome": (
        f"UPDATE outcome SET status = 'failed' WHERE request_id = {FIRST}",
        "'succeeded': 4.* == .*'failed': 1",
    ),
    "a wrong counter": (
        "UPDATE batch SET succeeded = succeeded - 1, failed = failed + 1",
        "'succeeded': 3.* != .*'succeeded': 4",
    ),
    "a call left open": (
        f"UPDATE attempt SET state = 'sent' WHERE request_id = {FIRST}",
        "'sent': 1, 'succeeded': 2",
    ),
    "an attempt not counted": ("UPDATE batch SET calls = calls + 1", "'calls': 4.* != .*'calls': 3"),
    "money left reserved": ("UPDATE batch SET reserved = 5", "'reserved': 5.* != .*'reserved': 0"),
    "a sum that is none": ("UPDATE batch SET spent = spent + 1", "'spent': 91.* != .*'spent': 90"),
    "a cap that was passed": ("UPDATE batch SET budget = 1", "over its budget.*'budget': 1"),
    "a chunk left open": ("UPDATE chunk SET state = 'claimed'", "'open chunks': 1.* != .*'open chunks': 0"),
    "an answer without a body": (
        f"UPDATE outcome SET body = NULL WHERE request_id = {FIRST}",
        "'answers without a body': 1.* != .*'answers without a body': 0",
    ),
    "an outcome of nobody": (
        f"UPDATE outcome SET request_id = 7 WHERE request_id = {FIRST}",
        "'outcomes without a request': 1.* != .*'outcomes without a request': 0",
    ),
}


@pytest.mark.parametrize("defect", UNSOUND)
def test_a_batch_that_contradicts_its_rows_is_refused_and_its_values_are_shown(
    store: Store, batch_id: str, defect: str
) -> None:
    statement, shown = UNSOUND[defect]
    spoil(store, statement)
    with pytest.raises(AssertionError, match=f"(?s){shown}"):
        check_batch(store, batch_id)


def test_a_wrong_field_of_a_batch_is_shown_with_all_that_the_batch_counts(
    store: Store, batch_id: str
) -> None:
    row = BatchTotals.read(store, batch_id).row
    assert_batch(row, status="completed", succeeded=4)
    with pytest.raises(AssertionError, match=r"(?s)'calls': 3.*{'succeeded': 4} == {'succeeded': 5}"):
        assert_batch(row, succeeded=5)


class Bill:
    """A provider as `check_bill` reads it."""

    def __init__(self, **changed: int) -> None:
        self._stats = {"billed": PROMPTS, "billed_micro_usd": PROMPTS * BILL} | changed
        self.calls = 1

    def stats(self) -> dict[str, int]:
        return self._stats

    def billed(self) -> dict[str, dict[str, int]]:
        return {"a": {"calls": self.calls}}


def test_a_bill_that_does_not_match_is_refused(store: Store, batch_id: str) -> None:
    sound = BatchTotals.read(store, batch_id)
    check_bill(sound, Bill(), to_call=PROMPTS)  # type: ignore[arg-type]
    twice = Bill()
    twice.calls = 2
    for bill in (Bill(billed=PROMPTS + 1), Bill(billed_micro_usd=PROMPTS * COST + 1), twice):
        with pytest.raises(AssertionError):
            check_bill(sound, bill, to_call=PROMPTS)  # type: ignore[arg-type]
    unknown_calls = replace(sound, attempts={**sound.attempts, "unknown": 1})
    with pytest.raises(AssertionError):
        check_bill(unknown_calls, Bill(), to_call=PROMPTS)  # type: ignore[arg-type]


class BrokenEnvironments:
    """Environments that cannot be opened, whose processes have logged something."""

    closed = False

    def get(self, kind: str) -> FaultEnvironment:
        raise RuntimeError("no environment today")

    def logs(self) -> dict[str, str]:
        return {"3-dispatch": "what it logged before"}

    def close(self) -> None:
        self.closed = True


def test_a_fault_whose_run_breaks_off_is_on_record_with_its_traceback_and_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "FILE", tmp_path / "kept" / "results.jsonl")
    environments = BrokenEnvironments()
    with pytest.raises(RuntimeError, match="no environment today"):
        run_and_record(ALL[0], environments, "postgresql", seed=1)
    [line] = results.FILE.read_text().splitlines()
    assert json.loads(line)["problems"] == {"error": "RuntimeError: no environment today"}
    assert "1 (**1 failed**)" in results.table(results.newest([line]))
    [folder] = (tmp_path / "kept" / "failed").iterdir()
    assert "in get\n" in (folder / "problem.txt").read_text()
    assert (folder / "3-dispatch.txt").read_text() == "what it logged before"
    assert environments.closed
