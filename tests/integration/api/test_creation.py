"""The creation of batches: once each, and within what a key may spend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from tasks.batch_api.errors import ApiError, Conflict, LimitReached
from tasks.store.api import audit, keys
from tasks.store.api import batches as api_batches
from tasks.store.api.tables import api_batch
from tasks.store.engine import Store
from tests.support import store_builders
from tests.support.tenants import Tenant


def test_a_creation_whose_reply_was_lost_returns_the_first_batch(tenant: Tenant) -> None:
    file = tenant.upload(["{}"])
    first = tenant.create(file)
    assert tenant.create(file)["id"] == first["id"]
    other = tenant.create(file, metadata={"run": "2"})
    assert other["id"] != first["id"], "other options are another batch"


def test_a_batch_that_its_owner_has_seen_is_not_given_again(tenant: Tenant, store: Store) -> None:
    file = tenant.upload(["{}"])
    first = tenant.create(file)
    with store.write() as connection:
        api_batches.note_known(connection, first["id"])
    assert tenant.create(file)["id"] != first["id"]


def test_after_ten_minutes_an_equal_creation_is_a_new_batch(tenant: Tenant, store: Store) -> None:
    file = tenant.upload(["{}"])
    first = tenant.create(file)
    with store.write() as connection:
        connection.execute(update(api_batch).values(created_at=api_batch.c.created_at - 601_000))
    assert tenant.create(file)["id"] != first["id"]


def test_an_idempotency_key_is_one_batch_s_for_ever(tenant: Tenant, store: Store) -> None:
    file = tenant.upload(["{}"])
    first = tenant.create(file, idempotency_key="k")
    with store.write() as connection:
        api_batches.note_known(connection, first["id"])
        connection.execute(update(api_batch).values(created_at=1))
    assert tenant.create(file, idempotency_key="k")["id"] == first["id"]
    assert tenant.create(file, idempotency_key="l")["id"] != first["id"]
    with pytest.raises(Conflict):
        tenant.create(file, idempotency_key="k", metadata={"other": "x"})


def test_a_key_whose_models_are_gone_may_not_use_the_others(new_tenant: Callable[..., Tenant]) -> None:
    tenant = new_tenant(models=("gone",))
    for options in ({}, {"metadata": {"waybill_models": ","}}):
        with pytest.raises(ApiError, match="none of the key's models"):
            tenant.create(**options)


def test_twenty_equal_creations_at_once_make_one_batch(tenant: Tenant) -> None:
    file = tenant.upload(["{}"])
    ids = store_builders.at_once(20, lambda _: tenant.create(file)["id"])
    assert len(set(ids)) == 1


@pytest.mark.parametrize("limits", [{"budget_day": 1_000_000}, {"budget_month": 1_000_000}])
def test_fifty_creations_at_once_never_take_more_than_the_key_may_spend(
    new_tenant: Callable[..., Tenant], limits: dict[str, int]
) -> None:
    tenant = new_tenant(**limits)
    file = tenant.upload(["{}"])

    def create(number: int) -> int:
        try:
            metadata = {"n": str(number), "waybill_budget_usd": "0.09"}
            return int(tenant.create(file, metadata=metadata)["budget"])
        except LimitReached:
            return 0

    budgets = store_builders.at_once(50, create)
    assert sum(budgets) == 11 * 90_000
    with pytest.raises(LimitReached, match=r"0\.010000 left") as refused:
        tenant.create(file, metadata={"waybill_budget_usd": "0.02"})
    assert refused.value.code == "insufficient_quota"


def test_a_batch_without_a_budget_gets_what_its_key_has_left(new_tenant: Callable[..., Tenant]) -> None:
    tenant = new_tenant(budget_day=1_000_000, budget_month=400_000)
    assert tenant.create()["budget"] == 400_000
    with pytest.raises(LimitReached):
        tenant.create()


def test_a_valid_batch_gives_back_what_its_requests_cannot_cost(
    new_tenant: Callable[..., Tenant], store: Store
) -> None:
    tenant = new_tenant(budget_day=1_000_000)
    rows = []
    for number in range(3):
        rows.append(tenant.create(lines=2, metadata={"n": str(number)}))
        tenant.validator.take_one()
    budgets = [tenant.row(row["id"])["budget"] for row in rows]
    assert len(set(budgets)) == 1
    # Two calls each, of 64 tokens at 2 dollars a million and a prompt of some tokens at 1 dollar.
    assert 2 * 2 * 128 < budgets[0] < 2 * 2 * 400
    number = tenant.row(rows[0]["id"])["run_no"]
    assert store_builders.row(store, number)["budget"] == budgets[0]
    with store.read() as connection:
        entries = audit.latest(connection, owner=tenant.key.id, limit=20)
    lowered = [one for one in entries if one["action"] == "batch.budget"]
    assert {one["subject"] for one in lowered} == {row["id"] for row in rows}
    assert {(one["actor"], one["detail"]["budget"]) for one in lowered} == {("waybill", budgets[0])}


def test_what_an_ended_batch_did_not_spend_can_be_spent_again(
    new_tenant: Callable[..., Tenant], store: Store
) -> None:
    tenant = new_tenant(budget_day=1_000_000)
    row = tenant.create(lines=2, metadata={"waybill_budget_usd": "1"})
    assert tenant.validator.take_one()
    number = tenant.row(row["id"])["run_no"]
    requests = store_builders.held(store, number)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests, cost=50)
    with store.read() as connection:
        assert keys.committed(connection, tenant.key.id, 0) == 100
    assert tenant.create(metadata={"waybill_budget_usd": "0.9999"})["budget"] == 999_900


def test_the_limit_of_unfinished_batches_holds_at_once(new_tenant: Callable[..., Tenant]) -> None:
    tenant = new_tenant(concurrent_batches=3)
    file = tenant.upload(["{}"])

    def create(number: int) -> Any:
        try:
            return tenant.create(file, metadata={"n": str(number)})
        except LimitReached:
            return None

    assert len([row for row in store_builders.at_once(12, create) if row]) == 3
