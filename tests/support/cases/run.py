"""One batch of all cases over one transport, and its results in every format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from redis import Redis

from tasks.formats.writing import ResultFormat, write_results
from tasks.providers.interface import Transport
from tasks.store import results
from tasks.store.engine import Store
from tests.support.cases.server import CaseServer
from tests.support.cases.table import Case
from tests.support.dispatch_harness import DispatchHarness

#: dollars per million tokens: the usual answer costs 20 + 10 * 10 micro-dollars
_PRICES = {"input_price": 1.0, "output_price": 10.0}
_SETTINGS: dict[str, Any] = {
    # Every error is met in milliseconds, and no circuit opens: each case has a model of its own.
    "dispatch": {
        "backoff_s": 0.01, "backoff_cap_s": 0.01, "pause_s": 0.05, "pauses": 2, "attempts_per_model": 3,
        "attempts_last_model": 3,
    },
    "breaker": {"min_calls": 1000},
}  # fmt: skip


@dataclass(frozen=True)
class CaseRun:
    """What came out: the calls that the provider received, and each case's result in each format."""

    received: Mapping[str, Sequence[dict[str, Any]]]
    openai: Mapping[str, dict[str, Any]]
    flat: Mapping[ResultFormat, Mapping[str, dict[str, Any]]]
    spent: int
    """Micro-dollars, as the batch counts them."""


def run_cases(
    cases: Sequence[Case], store: Store, redis_url: str, folder: Path, *, transport: Transport
) -> CaseRun:
    """Submit a file with a line for each case, answer its requests, and write its results."""
    with Redis.from_url(redis_url) as client:
        client.flushdb()  # no model may still be on hold from another run
    with CaseServer(cases) as server:
        models = [_model(case, server.url, transport) for case in cases]
        harness = DispatchHarness.of_models(store, redis_url, models, **_SETTINGS)
        file = folder / "cases.jsonl"
        lines = [case.line.replace("$model", f"{case.name}") for case in cases]
        file.write_text("\n".join(lines) + "\n", "utf-8", "surrogatepass")
        batch_id = harness.submit_file(file)
        harness.run(batch_id)
        received = dict(server.received)
    return CaseRun(received, *_exported(store, batch_id, folder), spent=harness.row(batch_id)["spent"])


def _model(case: Case, url: str, transport: Transport) -> dict[str, Any]:
    return {
        "name": case.name, "litellm": f"openai/{case.name}", "api_base": url, "transport": transport,
        "timeout_s": 200.0, "max_tokens": 100, **_PRICES, **case.model,
    }  # fmt: skip


def _exported(
    store: Store, batch_id: str, folder: Path
) -> tuple[dict[str, dict[str, Any]], dict[ResultFormat, dict[str, dict[str, Any]]]]:
    found = {}
    for form in ResultFormat:
        path = folder / f"results.{form}"
        write_results(results.iter_results(store, batch_id), path, format=form)
        found[form] = {row["custom_id"]: row for row in _rows(path, form)}
    return found.pop(ResultFormat.OPENAI), found


def _rows(path: Path, form: ResultFormat) -> list[dict[str, Any]]:
    if form is ResultFormat.PARQUET:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return rows
    text = path.read_bytes().decode()
    if form is ResultFormat.CSV:
        return [dict(row) for row in csv.DictReader(io.StringIO(text, newline=""))]
    return [json.loads(line) for line in text.removesuffix("\n").split("\n")]
