"""The lines of every result format add up to what the batch spent, whatever became of its requests."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.formats.requests import InputError
from tasks.formats.writing import ResultFormat, write_results
from tasks.store import control, results
from tasks.store.engine import Store
from tasks.store.values import RequestResult, Requeue
from tests.support import store_builders

NO_ANSWER = RequestResult("failed", model="small", status_code=200, error_code="invalid_reply")


def batch_of_all_ends(store: Store) -> int:
    """Return a batch with every way to end: five with paid calls, of which two gave no answer."""
    same = '{"messages":["same"]}'
    items = [
        *store_builders.lines(7),
        InputError(8, "invalid_json", "is not JSON", None),
        store_builders.line(9, body=same),
        store_builders.line(10, body=same),
    ]
    batch_no = store_builders.submit(store, items)
    requests = store_builders.held(store, batch_no)
    first, second, third, fourth, fifth, sixth, _seventh, ninth = requests
    store_builders.reserve(store, [*requests[:-2], ninth])
    store_builders.settle(store, [first], cost=1)
    store_builders.settle(store, [second], next=store_builders.REFUSED, cost=0)
    store_builders.settle(store, [third], next=NO_ANSWER, cost=None)
    store_builders.settle(store, [fourth, fifth], next=Requeue(0.0), cost=None)
    store_builders.settle(store, [sixth], next=replace(store_builders.REFUSED, status_code=502), cost=None)
    store_builders.settle(store, [ninth], cost=33)
    return batch_no


def spent_on_lines(path: Path, format: ResultFormat) -> Iterator[float]:
    """Yield the dollars on each line of a result file that has any."""
    if format is ResultFormat.PARQUET:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    elif format is ResultFormat.CSV:
        with path.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
    else:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        body = (row.get("response") or {}).get("body", {}) if format is ResultFormat.OPENAI else row
        found = body.get("waybill") or row.get("waybill") or body
        yield float(found.get("cost_usd") or 0)


@pytest.mark.parametrize("format", ResultFormat)
@pytest.mark.parametrize("apart", [True, False], ids=["errors_apart", "one_file"])
def test_all_lines_add_up_to_what_the_batch_spent(
    store: Store, tmp_path: Path, format: ResultFormat, apart: bool
) -> None:
    batch_no = batch_of_all_ends(store)
    row = store_builders.row(store, batch_no)
    with store.write() as connection:
        control.cancel(connection, row["id"])
    output, errors = tmp_path / "out", tmp_path / "errors"
    records = results.iter_results(store, row["id"])
    write_results(records, output, format=format, errors=errors if apart else None)
    files = [output, errors] if apart else [output]
    spent = sum(round(dollars * 1e6) for path in files for dollars in spent_on_lines(path, format))
    row = store_builders.row(store, batch_no)
    assert row["status"] == "cancelled"
    assert spent == row["spent"] == 1 + 100 + 2 * 100 + 100 + 33


def test_a_failed_line_says_what_it_cost_where_the_format_has_no_body(store: Store, tmp_path: Path) -> None:
    batch_no = batch_of_all_ends(store)
    batch_id = store_builders.row(store, batch_no)["id"]
    with store.write() as connection:
        control.cancel(connection, batch_id)
    write_results(results.iter_results(store, batch_id), tmp_path / "out", format=ResultFormat.OPENAI)
    lines = {line["custom_id"]: line for line in map(json.loads, (tmp_path / "out").read_text().splitlines())}
    for name, dollars in {"id-3": 0.0001, "id-4": 0.0001, "id-7": 0.0}.items():
        assert lines[name]["response"] is None
        assert lines[name]["waybill"]["cost_usd"] == dollars
    assert "waybill" not in lines["id-1"]
    assert "waybill" not in lines["line-8"]
