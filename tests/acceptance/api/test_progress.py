"""What a client sees of a batch beyond its object: events, the manifest, and its expiry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
from openai import OpenAI
from sqlalchemy import update

from tasks.store.api.tables import api_batch
from tests.support.api import ApiServer, await_end, chat_line, create_batch, http, lines_of
from tests.support.holding import Hold
from tests.support.stack import Stack
from tests.support.waiting import wait_until


def test_events_show_each_change_until_the_end(openai: OpenAI, server: ApiServer, stack: Stack) -> None:
    with (
        Hold(stack.simulator.client) as hold,
        http(server, openai.api_key) as client,
        client.stream("GET", f"/v1/batches/{_sixty(openai, hold)}/events") as sent,
    ):
        assert sent.headers["content-type"].startswith("text/event-stream")
        shown = []
        hold.let_go(20)
        for name, data in _events(sent):
            shown.append((name, data))
            if data["request_counts"]["completed"] == 20:
                hold.let_go()
    assert [name for name, _ in shown] == ["progress"] * (len(shown) - 1) + ["end"]
    completed = [one["request_counts"]["completed"] for _, one in shown]
    assert completed == sorted(completed)
    assert 20 in completed
    assert (shown[-1][1]["status"], completed[-1]) == ("completed", 60)


def _sixty(openai: OpenAI, hold: Hold) -> str:
    return create_batch(
        openai, [chat_line(number, prompt=f"{hold.marker} {number}") for number in range(60)]
    ).id


def _events(sent: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in sent.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_the_manifest_fits_the_files_and_the_money(openai: OpenAI, server: ApiServer, stack: Stack) -> None:
    with Hold(stack.simulator.client) as hold, http(server, openai.api_key) as client:
        texts = [*(f"prompt {number}" for number in range(8)), "[[sim:error=400]] no", hold.marker]
        lines = [*(chat_line(number, prompt=text) for number, text in enumerate(texts)), "{"]
        created = create_batch(openai, lines, metadata={"waybill_partial": "true", "waybill_budget_usd": "1"})
        early = client.get(f"/v1/batches/{created.id}/manifest")
        hold.let_go()
        batch = await_end(openai, created.id)
        manifest = client.get(f"/v1/batches/{created.id}/manifest").json()
    assert early.status_code == 409
    assert manifest["adds_up"]
    for name, file_id in (("output", batch.output_file_id), ("errors", batch.error_file_id)):
        content = openai.files.content(file_id or "").content
        told = {"bytes": len(content), "lines": content.count(b"\n"), "sha256": _sha256(content)}
        assert manifest["files"][name] == {"file_id": file_id, **told}
    source = openai.files.content(batch.input_file_id).content
    assert manifest["files"]["input"]["sha256"] == _sha256(source)
    assert manifest["cost_usd"] == stack.row(batch.id)["spent"] / 1_000_000 > 0
    assert manifest["cost_usd"] == sum(one["cost_usd"] for one in manifest["models"].values())
    digest, _ = manifest.pop("sha256"), manifest.pop("signature")
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    assert digest == _sha256(text.encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_an_expired_batch_keeps_its_answers_and_names_the_others(openai: OpenAI, stack: Stack) -> None:
    with Hold(stack.simulator.client) as hold:
        lines = [chat_line(number, prompt=f"{hold.marker} {number}") for number in range(300)]
        batch = create_batch(openai, lines, completion_window="1h")
        assert batch.expires_at == batch.created_at + 3_600
        hold.let_go(1)
        wait_until(lambda: openai.batches.retrieve(batch.id).output_file_id, timeout_s=200)
        with stack.store.write() as connection:
            connection.execute(update(api_batch).where(api_batch.c.id == batch.id).values(expires_at=1))
        stack.wait(batch.id, lambda row: row["status"] == "cancelling")
        hold.let_go()
        ended = await_end(openai, batch.id)
    assert ended.status == "expired"
    assert ended.expired_at is not None
    assert (ended.completed_at, ended.cancelled_at) == (None, None)
    outputs, errors = lines_of(openai, ended.output_file_id), lines_of(openai, ended.error_file_id)
    assert len(outputs) > 0
    assert len(outputs) + len(errors) == 300
    assert {(line["response"], line["error"]["code"]) for line in errors} == {(None, "batch_expired")}
    assert sum(line["waybill"]["cost_usd"] for line in errors) == 0
