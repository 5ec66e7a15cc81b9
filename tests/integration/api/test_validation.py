"""The validation of files: what becomes of their lines, files that cannot be read, and many at once."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from tasks.batch_api import ending
from tasks.store import batches
from tasks.store.api import validations
from tasks.store.api.tables import api_file
from tasks.store.engine import Store
from tasks.store.tables import input_error
from tasks.submission import submit
from tests.support import store_builders
from tests.support.api import chat_line
from tests.support.tenants import Tenant, expire_lease
from workers.api.batches.objects import status_of


def test_a_validated_batch_has_its_requests_once_and_belongs_to_its_key(tenant: Tenant, store: Store) -> None:
    row = tenant.create(lines=5)
    assert tenant.validator.take_one()
    assert not tenant.validator.take_one()
    with store.read() as connection:
        stored = batches.find(connection, row["id"])
    assert (stored["total"], stored["owner"], stored["status"]) == (5, tenant.key.id, "in_progress")
    assert tenant.row(row["id"])["state"] == "running"


@pytest.mark.parametrize("other", ["large", "nowhere"])
def test_a_line_for_a_model_that_is_not_the_key_s_is_told_which_are(
    new_tenant: Callable[..., Tenant], other: str
) -> None:
    tenant = new_tenant(models=("small",))
    [small] = tenant.settings.models
    models = (small, small.model_copy(update={"name": "large"}))
    tenant = replace(tenant, settings=tenant.settings.model_copy(update={"models": models}))
    row = tenant.create(tenant.upload([chat_line(1, model="small"), chat_line(2, model=other)]))
    assert tenant.validator.take_one()
    [error] = tenant.row(row["id"])["errors"]
    assert error["code"] == "unknown_model"
    assert f"the model '{other}' is not among this key's models: small; " in error["message"]


@pytest.mark.parametrize("partial", ["false", "true"])
def test_a_file_that_breaks_off_fails_before_any_of_its_requests_is_sent(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, partial: str
) -> None:
    monkeypatch.setattr(submit, "FIRST_LINES", 2)
    lines = ["{", *(chat_line(number, prompt="x" * 9_000, model="small") for number in range(50))]
    whole = gzip.compress("\n".join(lines).encode(), compresslevel=0)
    marked = "\ufeff".encode("utf-16-le")
    broken = (
        whole[:-20_000],  # a part is missing
        whole[:200_000] + b"damage" + whole[200_006:],
        marked + "\n".join(lines).encode("utf-16-le")[:300_000] + b"\x00\xdc\x00\xdc",
    )
    for content in broken:
        row = tenant.create(tenant.upload_bytes(content), metadata={"waybill_partial": partial})
        assert tenant.validator.take_one()
        state = tenant.row(row["id"])
        assert (status_of(state), state["run_no"]) == ("failed", None)
        codes = [error["code"] for error in state["errors"]]
        assert codes == (["invalid_file"] if partial == "true" else ["invalid_json", "invalid_file"])


def test_a_file_that_cannot_be_read_now_is_read_later_and_is_no_fault_of_its_owner(
    tenant: Tenant, store: Store
) -> None:
    row = tenant.create(lines=3)
    with store.read() as connection:
        name = connection.execute(select(api_file.c.stored_as)).scalar_one()
    path = tenant.settings.home / "files" / name
    away = path.rename(path.with_name("away"))
    for wait_s in (15, 60):
        began = time.time()
        assert tenant.validator.take_one()
        assert status_of(tenant.row(row["id"])) == "validating"
        assert not tenant.validator.take_one()
        until = tenant.row(row["id"])["lease_until"] / 1000
        assert began + wait_s - 1 < until < time.time() + wait_s + 1
        expire_lease(store)
    away.rename(path)
    assert tenant.validator.take_one()
    assert tenant.row(row["id"])["run_total"] == 3


def test_a_file_that_holds_more_than_could_be_uploaded_is_refused(tenant: Tenant) -> None:
    api = tenant.settings.api.model_copy(update={"max_upload_mb": 1.0, "max_file_mb": 0.5})
    small = replace(tenant, settings=tenant.settings.model_copy(update={"api": api}))
    for content in (b" " * (3 << 20), b"\n" * (3 << 20), b"x" * (3 << 20)):
        row = small.create(small.upload_bytes(gzip.compress(content)), metadata={"waybill_partial": "true"})
        assert small.validator.take_one()
        [error] = small.row(row["id"])["errors"]
        assert (error["code"], "holds more than" in error["message"]) == ("invalid_file", True)


def test_one_key_s_many_batches_hold_up_no_other_key_s(
    new_tenant: Callable[..., Tenant], store: Store
) -> None:
    mine, other = new_tenant("mine"), new_tenant("other")
    many = [mine.create(lines=1, metadata={"n": str(number)})["id"] for number in range(4)]
    one = other.create(lines=1)["id"]
    taken = []
    for _ in range(4):
        with store.write() as connection:
            claimed = validations.claim(connection, lease_s=60)
        assert claimed is not None
        taken.append(claimed["id"])
    assert taken == [many[0], one, *many[1:3]]


def test_a_batch_that_is_cancelled_before_its_requests_are_stored_never_has_any(
    tenant: Tenant, store: Store
) -> None:
    row = tenant.create()
    with store.write() as connection:
        claimed = validations.claim(connection, lease_s=60)
        ending.cancel(connection, tenant.row(row["id"]))
    assert claimed is not None
    tenant.validator._validate(claimed)
    state = tenant.row(row["id"])
    assert (state["state"], state["run_no"]) == ("cancelled", None)


def test_a_batch_that_waits_is_cancelled_by_many_at_once(tenant: Tenant, store: Store) -> None:
    row = tenant.row(tenant.create()["id"])

    def cancel(_: int) -> None:
        with store.write() as connection:
            ending.cancel(connection, row)

    store_builders.at_once(5, cancel)
    assert status_of(tenant.row(row["id"])) == "cancelled"


@pytest.mark.parametrize("content", ["{}", '[{"messages": []}]'])
def test_errors_do_not_speak_of_the_command_s_options(tenant: Tenant, store: Store, content: str) -> None:
    for partial in ("false", "true"):
        lines = [content, chat_line(1, model="small")] if partial == "true" else [content]
        row = tenant.create(tenant.upload(lines), metadata={"waybill_partial": partial})
        tenant.validator.take_one()
        with store.read() as connection:
            reasons = list(connection.execute(select(input_error.c.reason)).scalars())
        reasons += [error["message"] for error in tenant.row(row["id"])["errors"] or ()]
        assert reasons
        assert [reason for reason in reasons if "--" in reason or not reason] == []
