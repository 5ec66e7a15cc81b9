"""Bulk statements: they find the rows that they name, on both stores."""

import pytest
from sqlalchemy import update

from tasks.store import bulk
from tasks.store.bulk import rows_with
from tasks.store.engine import Store
from tasks.store.tables import request
from tests.support import store_builders


def test_rows_are_found_by_a_key_among_many_and_by_what_else_they_hold(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(3))
    other = store_builders.submit(store, store_builders.lines(3))
    with store.write() as connection:
        originals = connection.execute(request.select().order_by(request.c.id)).all()
        second = originals[1]
        connection.execute(
            update(request).where(request.c.id == second.id).values(duplicate_of=originals[0].id)
        )
        ids = [originals[0].custom_id, second.custom_id, "unknown"]

        def found(values: list[str], **where: int | None) -> set[tuple[int, str]]:
            rows = rows_with(connection, request, ("batch_no", "custom_id"), "custom_id", values, where)
            return {(row.batch_no, row.custom_id) for row in rows}

        assert found(ids, batch_no=batch_no) == {(batch_no, ids[0]), (batch_no, ids[1])}
        assert found(ids, batch_no=batch_no, duplicate_of=None) == {(batch_no, ids[0])}
        assert found(ids) == {(no, name) for no in (batch_no, other) for name in ids[:2]}
        assert found([], batch_no=batch_no) == set()


def test_more_values_than_a_statement_takes_are_looked_for_in_parts(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MAX_IDS", 2)
    batch_no = store_builders.submit(store, store_builders.lines(5))
    with store.read() as connection:
        ids = list(connection.execute(request.select().order_by(request.c.id)).scalars())
        found = rows_with(connection, request, ("id",), "id", ids, {"batch_no": batch_no})
    assert len(ids) == 5
    assert sorted(row.id for row in found) == ids
