"""Batches whose texts bear a mark, and the columns in which it stands."""

from __future__ import annotations

import json
from dataclasses import replace

from sqlalchemy import String, cast, select
from sqlmodel import SQLModel

from tasks.formats.requests import InputError
from tasks.store import deletion, ledger
from tasks.store.engine import Store
from tests.support import learning, store_builders

#: stands in every prompt and answer
MARK = "xyzzy"
BODY = json.dumps({"messages": [{"role": "user", "content": f"a prompt {MARK}"}]}, separators=(",", ":"))
ANSWER = replace(
    store_builders.ANSWER, body=learning.completion(f"an answer {MARK}"), notes={"invalid": f"#/{MARK}: type"}
)


def columns_with_mark(store: Store) -> set[str]:
    """Return the columns of any table that hold the mark."""
    found = set()
    with store.read() as connection:
        for table in SQLModel.metadata.sorted_tables:
            for column in table.columns:
                text = cast(column, String)
                if connection.execute(select(text).where(text.contains(MARK)).limit(1)).first() is not None:
                    found.add(f"{table.name}.{column.name}")
    return found


def answered_batch(store: Store, count: int = 3) -> tuple[str, int]:
    """Return the id and the number of a batch with answers, a duplicate, a failure and a bad line."""
    lines = [
        store_builders.line(n, body=BODY.replace("a prompt", f"prompt {n}")) for n in range(1, count + 1)
    ]
    twin = store_builders.line(count + 1, body=lines[0].body)
    bad = InputError(count + 2, "invalid_parameter", f"no parameter {MARK}", "bad")
    number = store_builders.submit(store, [*lines, twin, bad])
    held = store_builders.held(store, number)
    store_builders.reserve(store, held)
    failed = replace(store_builders.REFUSED, error_message=f"the last one: {MARK}")
    with store.write() as connection:
        ends = [replace(store_builders.settlement(one, ANSWER), answer=MARK) for one in held[:-1]]
        ledger.settle(connection, number, [*ends, store_builders.settlement(held[-1], failed)])
    return str(store_builders.row(store, number)["id"]), number


def delete(store: Store, batch_id: str) -> list[int]:
    with store.write() as connection:
        numbers = deletion.mark(connection, batch_id)
    for number in numbers:
        deletion.clear(store, number)
    return numbers
