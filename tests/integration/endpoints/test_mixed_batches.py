"""One batch with requests of every endpoint, from its lines to its results: both transports and stores."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.formats.writing import ResultFormat, write_results
from tasks.store.results import iter_results
from tests.support.comparisons import assert_batch
from tests.support.dispatch_harness import DispatchHarness
from workers.simulator import SimulatorProcess
from workers.simulator.protocols.openai_embeddings import vector_of

MakeHarness = Callable[..., DispatchHarness]


def line(custom_id: str, url: str, **body: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": body}


def mixed(model: str) -> list[dict[str, Any]]:
    parts = [{"type": "input_text", "text": "And who are you?"}]
    items = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    return [
        line("chat", "/v1/chat/completions", messages=[{"role": "user", "content": "What is 2 + 2?"}]),
        line("text", "/v1/responses", input="What is 2 + 2?", max_output_tokens=16),
        line("items", "/v1/responses", model=model, input=[*items, {"role": "user", "content": parts}]),
        line("completion", "/v1/completions", prompt="Once upon a time", max_tokens=9),
        line("tokens", "/v1/completions", model=model, prompt=[101, 7, 9]),
        line("one", "/v1/embeddings", model=model, input="first", dimensions=4),
        line("two", "/v1/embeddings", model=model, input=["first", "second"]),
        line("ids", "/v1/embeddings", model=model, input=[[1, 2], [3]], encoding_format="base64"),
        line("bad words", "/v1/moderations", model=model, input="I will kill you"),
        line("harmless", "/v1/moderations", model=model, input=["hello", "world"]),
    ]


@pytest.fixture
def finished(make_harness: MakeHarness, simulator: SimulatorProcess) -> tuple[DispatchHarness, str]:
    harness = make_harness()
    batch_id = harness.submit(mixed(harness.named("sim-nano")))
    row = harness.run(batch_id)
    assert_batch(row, status="completed", succeeded=10, failed=0)
    return harness, batch_id


def bodies(harness: DispatchHarness, batch_id: str, tmp_path: Path) -> dict[str, dict[str, Any]]:
    output = tmp_path / "results.jsonl"
    write_results(iter_results(harness.store, batch_id), output, format=ResultFormat.OPENAI)
    lines = [json.loads(one) for one in output.read_text().splitlines()]
    return {one["custom_id"]: one["response"]["body"] for one in lines}


def test_each_result_has_the_shape_of_its_endpoint(
    finished: tuple[DispatchHarness, str], tmp_path: Path
) -> None:
    harness, batch_id = finished
    found = bodies(harness, batch_id, tmp_path)
    assert {name: body.get("object") for name, body in found.items()} == {
        "chat": "chat.completion",
        "text": "response",
        "items": "response",
        "completion": "text_completion",
        "tokens": "text_completion",
        "one": "list",
        "two": "list",
        "ids": "list",
        "bad words": None,
        "harmless": None,
    }
    assert {body["model"] for body in found.values()} == {harness.named("sim-nano")}
    assert found["text"]["output"][0]["content"][0]["type"] == "output_text"
    assert found["text"]["error"] is None
    assert found["text"]["id"].startswith("resp_")
    assert found["completion"]["choices"][0]["text"]
    assert found["one"]["data"][0]["embedding"] == pytest.approx(vector_of("first", 4))
    vectors = [item["embedding"] for item in found["two"]["data"]]
    assert vectors == [pytest.approx(vector_of("first")), pytest.approx(vector_of("second"))]
    assert [item["index"] for item in found["ids"]["data"]] == [0, 1]
    assert isinstance(found["ids"]["data"][0]["embedding"], str)
    assert found["bad words"]["results"][0]["categories"]["violence/graphic"] is False
    assert [result["flagged"] for result in found["harmless"]["results"]] == [False, False]


def test_the_ledger_agrees_with_the_providers_bill(
    finished: tuple[DispatchHarness, str], simulator: SimulatorProcess
) -> None:
    harness, batch_id = finished
    billed = simulator.client.stats()["billed_micro_usd"]
    row = harness.row(batch_id)
    # Moderations report no usage: their worst case is charged, at the price of the model that was named.
    assert billed <= row["spent"]
    costs = {record.custom_id: record.waybill["cost_usd"] for record in iter_results(harness.store, batch_id)}
    free = round(1e6 * (costs["bad words"] + costs["harmless"]))
    assert row["spent"] - free == billed


def test_flat_results_hold_the_text_of_each_answer(
    finished: tuple[DispatchHarness, str], tmp_path: Path
) -> None:
    harness, batch_id = finished
    paths = {form: tmp_path / f"flat.{form}" for form in (ResultFormat.CSV, ResultFormat.PARQUET)}
    for form, path in paths.items():
        write_results(iter_results(harness.store, batch_id), path, format=form)
    with paths[ResultFormat.CSV].open(newline="") as stream:
        from_csv = {row["custom_id"]: row for row in csv.DictReader(stream)}
    from_parquet = {row["custom_id"]: row for row in pq.read_table(paths[ResultFormat.PARQUET]).to_pylist()}
    assert {name: row["answer"] for name, row in from_parquet.items()} == {
        # A spreadsheet would take a minus at the start for a formula.
        name: row["answer"].removeprefix("'")
        for name, row in from_csv.items()
    }
    assert json.loads(from_parquet["one"]["answer"]) == pytest.approx(vector_of("first", 4))
    assert len(json.loads(from_parquet["two"]["answer"])) == 2
    assert json.loads(from_parquet["bad words"]["answer"]) == {"flagged": True, "categories": ["violence"]}
    assert from_parquet["text"]["finish_reason"] in ("stop", "length")
    assert [row["prompt_tokens"] for name, row in from_parquet.items() if name in ("one", "items")] != [None]
