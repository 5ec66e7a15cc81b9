"""What each key's calls of a month have cost, from the ledger."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from tasks.api_keys import keys
from tasks.errors import UsageError
from tasks.store import spending
from tasks.store.engine import Store
from tasks.store.page import operations
from tasks.store.spending import Month, Spending
from tasks.store.tables import attempt, batch
from tests.support import store_builders

NOVEMBER, DECEMBER = Month.of("2026-11"), Month.of("2026-12")
_HOUR_MS = 3_600_000


def _in(store: Store, month: Month) -> list[Spending]:
    with store.read() as connection:
        return spending.by_key(connection, month)


def _answered(
    store: Store, begin: int, end: int | None, *, owner: str | None = None, payer: int | None = None
) -> int:
    """A batch of two calls of 30 micro-dollars that was created and ended then, and called at its begin."""
    batch_no = store_builders.submit(store, store_builders.lines(2))
    calls = store_builders.held(store, batch_no)
    store_builders.reserve(store, calls)
    store_builders.settle(store, calls, cost=30)
    with store.write() as connection:
        mine = update(batch).where(batch.c.no == batch_no)
        connection.execute(mine.values(created_at=begin, finished_at=end, owner=owner, payer_no=payer))
        connection.execute(update(attempt).where(attempt.c.batch_no == batch_no).values(sent_at=begin))
    return batch_no


def test_spending_is_by_key_and_what_has_no_key_is_the_command_s(store: Store) -> None:
    key, _ = keys.create(store, "team", budget_month=500)
    for owner in (key.id, key.id, None):
        _answered(store, NOVEMBER.begin, NOVEMBER.begin + _HOUR_MS, owner=owner)
    assert _in(store, NOVEMBER) == [
        Spending(key.id, "team", 2, 4, 120, 500), Spending(None, None, 1, 2, 60, None),
    ]  # fmt: skip
    assert _in(store, DECEMBER) == []


def test_a_batch_over_the_end_of_a_month_is_in_both_with_the_calls_of_each(store: Store) -> None:
    batch_no = _answered(store, DECEMBER.begin - _HOUR_MS, DECEMBER.begin + _HOUR_MS)
    with store.write() as connection:
        last = update(attempt).where(attempt.c.request_id == (batch_no << 32) + 2)
        connection.execute(last.values(sent_at=DECEMBER.begin, cost=70))
    assert [(one.calls, one.spent) for one in _in(store, NOVEMBER)] == [(1, 30)]
    assert [(one.calls, one.spent) for one in _in(store, DECEMBER)] == [(1, 70)]


def test_a_batch_that_runs_counts_with_the_calls_made_so_far(store: Store) -> None:
    _answered(store, DECEMBER.begin - _HOUR_MS, None)
    assert [one.spent for one in _in(store, NOVEMBER)] == [60]
    assert _in(store, DECEMBER) == []


def test_what_one_batch_pays_for_another_is_counted_once(store: Store) -> None:
    payer = _answered(store, NOVEMBER.begin, NOVEMBER.begin + _HOUR_MS)
    _answered(store, NOVEMBER.begin, NOVEMBER.begin + 3 * _HOUR_MS, payer=payer)
    with store.write() as connection:
        connection.execute(update(batch).where(batch.c.no == payer).values(spent=120))
    assert [(one.batches, one.calls, one.spent) for one in _in(store, NOVEMBER)] == [(2, 4, 120)]


def test_an_archived_batch_is_counted_in_the_month_in_which_it_was_created(store: Store) -> None:
    batch_no = _answered(store, DECEMBER.begin - _HOUR_MS, DECEMBER.begin + _HOUR_MS)
    with store.write() as connection:
        connection.execute(attempt.delete().where(attempt.c.batch_no == batch_no))
        connection.execute(update(batch).values(archived_at=DECEMBER.end))
    assert [one.spent for one in _in(store, NOVEMBER)] == [60]
    assert _in(store, DECEMBER) == []


def test_the_page_counts_once_what_one_batch_pays_for_another(store: Store) -> None:
    payer = store_builders.submit(store, store_builders.lines(1))
    other = store_builders.submit(store, store_builders.lines(1))
    with store.write() as connection:
        connection.execute(update(batch).values(spent=100))
        connection.execute(update(batch).where(batch.c.no == other).values(payer_no=payer))
    with store.read() as connection:
        assert [one.total for one in operations.spending(connection)] == [100]


@pytest.mark.parametrize("text", ["2026", "2026-13", "11/2026", "-1-01", "9999-12"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="2026-11"):
        Month.of(text)
