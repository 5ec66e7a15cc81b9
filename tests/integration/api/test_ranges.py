"""Ranges of a file that still grows."""

from __future__ import annotations

import pytest

from tasks.batch_api.output import OutputFile, pieces
from tasks.store.engine import Store
from tests.support import store_builders
from tests.support.tenants import Tenant
from workers.api.files import content


@pytest.mark.parametrize("last", [None, 10**12])
def test_a_range_that_is_too_long_ends_with_a_whole_line(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch, last: int | None
) -> None:
    row = tenant.create(lines=6)
    tenant.validator.take_one()
    requests = store_builders.held(store, tenant.row(row["id"])["run_no"])
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests[:5])
    file = OutputFile(tenant.row(row["id"]), is_errors=False)
    whole = b"".join(piece.data for piece in pieces(store, file))
    most = len(whole) // 2
    monkeypatch.setattr(content, "_OPEN_RANGE_BYTES", most)
    got = content._open_range(store, file, 0, last).body
    assert got == whole[: whole.rindex(b"\n", 0, most) + 1]
