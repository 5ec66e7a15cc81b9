"""Bulk statements: they find the rows that they name, on both stores."""

from sqlalchemy import update

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
