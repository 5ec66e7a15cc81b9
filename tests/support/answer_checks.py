"""Requests that demand a shape of their answers, and what became of them."""

from __future__ import annotations

from typing import Any

from tasks.formats.results import ResultRecord
from tasks.store import results
from tests.support.dispatch_harness import DispatchHarness

SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer"}},
    "required": ["age"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": SCHEMA}}
FIT, MISFIT = '{"age": 7}', '{"age": "seven"}'


def ask(**parameters: Any) -> dict[str, Any]:
    return {"prompt": "p", "response_format": FORMAT, **parameters}


def records(harness: DispatchHarness, batch_id: str) -> list[ResultRecord]:
    return list(results.iter_results(harness.store, batch_id))


def text_of(record: ResultRecord) -> str | None:
    assert record.body is not None
    return record.body["choices"][0]["message"]["content"]
