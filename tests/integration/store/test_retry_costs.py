"""What the rest of a batch costs, each request at the model that was chosen for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tasks.store import batches, control, ledger
from tasks.store.engine import Store
from tasks.store.health.exhausted import enough_budget
from tasks.store.values import HeldRequest
from tasks.store.waiting import over_budget
from tests.support import store_builders

_OPTIONS = replace(store_builders.OPTIONS, prices={"small": (1.0, 1.0), "large": (10.0, 10.0)})


def test_open_requests_are_priced_by_their_own_models_also_where_one_has_answered_nothing(
    store: Store,
) -> None:
    items = [store_builders.line(n, model="small" if n < 5 else "large") for n in range(1, 11)]
    batch_no = store_builders.submit(store, items, options=_OPTIONS, budget=1_000)
    requests = sorted(store_builders.held(store, batch_no))  # by id, as they were given
    _answer(store, requests[:2])
    _stop(store, requests[2:])
    # two small ones at 30, six large ones at ten times that, and the large worst case of 10 × 100
    assert _enough(store, batch_no) == pytest.approx(60 + 1.2 * (2 * 30 + 6 * 300) + 1000)


def test_requests_without_a_model_cost_the_mean_of_those_that_have_one_and_duplicates_nothing(
    store: Store,
) -> None:
    named = [store_builders.line(n) for n in range(1, 5)]
    twice = [store_builders.line(n, body='{"messages":["same"]}', model=None) for n in (5, 6)]
    batch_no = store_builders.submit(store, [*named, *twice], options=_OPTIONS, budget=1_000)
    requests = store_builders.held(store, batch_no)
    _answer(store, requests[:2])
    _stop(store, [one for one in requests[2:] if one.model is not None])
    with store.write() as connection:
        control.cancel(connection, store_builders.row(store, batch_no)["id"])
    assert _enough(store, batch_no) == pytest.approx(60 + 1.2 * 3 * 30 + 100)


def _answer(store: Store, requests: Sequence[HeldRequest]) -> None:
    store_builders.reserve(store, requests, worst=100)
    tokens = {"prompt_tokens": 10, "completion_tokens": 20}
    settled = [replace(store_builders.settlement(one, cost=30), **tokens) for one in requests]
    with store.write() as connection:
        ledger.settle(connection, requests[0].batch_no, settled)


def _stop(store: Store, requests: Sequence[HeldRequest]) -> None:
    batch_no = requests[0].batch_no
    ends = [store_builders.without_call(one, over_budget(one.model or "")) for one in requests]
    with store.write() as connection:
        batches.lock(connection, batch_no)
        ledger.apply_results(connection, batch_no, ends)


def _enough(store: Store, batch_no: int) -> int | None:
    row = store_builders.row(store, batch_no)
    with store.read() as connection:
        return enough_budget(connection, row)
