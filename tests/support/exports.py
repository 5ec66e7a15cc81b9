"""Answers of models, and their rows in each flat format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tasks.formats.writing import ResultFormat, ResultRecord, write_results

CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
REMARKS = {
    "mended": ["logprobs"], "dropped": ["seed", "store"], "repaired": "fences", "reused_from": "batch_1",
    "without_answer": True, "valid": False, "invalid": "#/a: type", "saved_usd": 0.25,
}  # fmt: skip


def answered(
    message: Mapping[str, Any], *, waybill: Mapping[str, Any] | None = None, **body: Any
) -> ResultRecord:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    completion = {"object": "chat.completion", "model": "m", "choices": [choice], **body}
    return ResultRecord("r", "a", 1, 200, completion, None, None, None, dict(waybill or {}))


def exported(record: ResultRecord, form: ResultFormat, folder: Path) -> dict[str, Any]:
    """Return the only row of the file; what is JSON in a CSV is read."""
    write_results([record], folder / "out", format=form)
    if form is ResultFormat.PARQUET:
        return dict(pq.read_table(folder / "out").to_pylist()[0])
    text = (folder / "out").read_text("utf-8")
    if form is ResultFormat.JSONL:
        return dict(json.loads(text))
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    return {name: structure_or_text(cell) for name, cell in row.items()}


def structure_or_text(cell: str) -> Any:
    try:
        value = json.loads(cell)
    except ValueError:
        return cell
    return value if isinstance(value, (dict, list)) else cell
