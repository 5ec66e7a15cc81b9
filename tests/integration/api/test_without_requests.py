"""What the command says of a batch of the API that has no requests."""

from __future__ import annotations

import pytest

from tasks.errors import UnknownBatch
from tasks.store import batches
from tests.support.api import chat_line
from tests.support.tenants import Tenant


def _refusals(tenant: Tenant, batch_id: str) -> set[str]:
    """Return what is said of the whole id, of its beginning, and where only whole ids are looked for."""
    said = set()
    for text, find in (
        (batch_id, batches.full_id),
        (batch_id[:14], batches.full_id),
        (batch_id, batches.find),
    ):
        with tenant.store.read() as connection, pytest.raises(UnknownBatch) as caught:
            find(connection, text)
        said.add(str(caught.value))
    return said


def test_a_batch_that_failed_its_check_is_known_with_the_lines_that_are_not_valid(tenant: Tenant) -> None:
    lines = [chat_line(1, model="small"), "a secret prompt", chat_line(3, model="none")]
    row = tenant.create(tenant.upload(lines))
    assert _refusals(tenant, row["id"]) == {
        f"{row['id']} is a batch of the API whose file is being checked: ask again in a moment"
    }
    tenant.validator.take_one()
    [said] = _refusals(tenant, row["id"])
    assert said == (
        f"{row['id']} is a batch of the API that failed: 2 lines are not valid; line 2: invalid_json, "
        f"line 3: unknown_model (see the page, or GET /v1/batches/{row['id']})"
    )


def test_an_id_of_no_batch_at_all_stays_unknown(tenant: Tenant) -> None:
    tenant.create()
    with tenant.store.read() as connection, pytest.raises(UnknownBatch, match="no batch 'batch_none'"):
        batches.full_id(connection, "batch_none")
