"""Ranges of a file that still grows."""

from __future__ import annotations

import pytest
from sqlalchemy import RowMapping, func, select

from tasks.batch_api import ending, output
from tasks.batch_api.output import OutputFile, known_size, pieces
from tasks.store import control
from tasks.store.api.tables import output_mark
from tasks.store.engine import Store
from tasks.store.values import HeldRequest
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


@pytest.fixture
def running(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch
) -> tuple[RowMapping, list[HeldRequest]]:
    """A batch of 12 lines, of which 10 are answered, and the others; a page has three."""
    monkeypatch.setattr(output, "PAGE", 3)
    row = tenant.create(lines=12)
    tenant.validator.take_one()
    requests = store_builders.held(store, tenant.row(row["id"])["run_no"])
    store_builders.reserve(store, requests)
    for number in range(10):
        store_builders.settle(store, requests[number : number + 1])
    return tenant.row(row["id"]), requests[10:]


def _marks(store: Store) -> int:
    with store.read() as connection:
        return connection.execute(select(func.count()).select_from(output_mark)).scalar_one()


def test_a_reader_begins_where_the_last_one_has_counted_to(
    running: tuple[RowMapping, list[HeldRequest]], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = OutputFile(running[0], is_errors=False)
    whole = b"".join(piece.data for piece in pieces(store, file))
    assert _marks(store) == 3
    lines = whole.splitlines(keepends=True)
    rest = b"".join(lines[9:])
    read = []
    monkeypatch.setattr(output, "_line", lambda *one: read.append(one) or b"x\n")
    [piece] = pieces(store, file, from_byte=len(whole) - len(rest))
    assert (piece.offset, len(read)) == (len(whole) - len(rest), 1)


def test_a_file_that_grows_has_a_size(
    running: tuple[RowMapping, list[HeldRequest]], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = OutputFile(running[0], is_errors=False)
    monkeypatch.setattr(output, "_SIZE_PAGES", 1)
    sizes = [known_size(store, file) for _ in range(5)]
    whole = b"".join(piece.data for piece in pieces(store, file))
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[3] == sizes[4] == len(whole)


def test_a_reader_leaves_no_mark_in_a_file_that_begins_anew(
    running: tuple[RowMapping, list[HeldRequest]], tenant: Tenant, store: Store
) -> None:
    row, others = running
    store_builders.settle(store, others, next=store_builders.REFUSED)
    assert ending.end_finished(store)
    before = tenant.row(row["id"])
    with store.write() as connection:
        control.retry(connection, row["id"], budget=None)
    assert _marks(store) == 0
    for seen, marks in ((before, 0), (tenant.row(row["id"]), 3)):
        for _ in pieces(store, OutputFile(seen, is_errors=False)):
            pass
        assert _marks(store) == marks
