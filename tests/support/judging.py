"""Judge runs: the stage, and judges that answer its calls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from tasks.learning import judging
from tasks.stages.context import WorkerContext
from tasks.stages.judging.stage import judge_chunk
from tasks.store import chunks, ledger
from tasks.store.engine import Store
from tasks.store.learning.tables import verdict
from tasks.store.tables import chunk
from tasks.store.values import RequestResult
from tests.support import learning, store_builders

TEXTS = ["Name three primes.", "Write a haiku about rain.", "Why is the sky blue, and not green?"]
QUALITY = {"large": 3, "medium": 2, "small": 1}
REFUSED = RequestResult("failed", error_code="budget_exceeded")
ANSWERS = {model: f"an answer worth {quality}" for model, quality in QUALITY.items()}


def judge_chunks(context: WorkerContext, batch_no: int) -> int:
    """Run the judge stage on every waiting chunk of the run and return their number."""
    waiting = chunk.c.batch_no == batch_no, chunk.c.state == "queued", chunk.c.stage == chunks.JUDGE
    with context.store.read() as connection:
        rows = connection.execute(select(chunk.c.id, chunk.c.epoch).where(*waiting)).all()
    for row in rows:
        judge_chunk(context, row.id, row.epoch)
    return len(rows)


def reply_of(body: dict[str, Any]) -> str:
    """Return the reply of a judge that never errs: the answer that is worth more."""
    shown = body["messages"][1]["content"]
    first, second = (int(part.split("\n")[0]) for part in shown.split("worth ")[1:3])
    choice = "A" if first > second else "B"
    return json.dumps({"clarity": choice, "accuracy": choice, "completeness": choice, "winner": choice})


def answer(store: Store, batch_no: int, reply: Callable[[dict[str, Any]], str] = reply_of) -> int:
    """Answer every waiting judge call as a dispatch worker would, or end it if the budget is spent."""
    held = store_builders.held(store, batch_no, stage=chunks.DISPATCH)
    granted = store_builders.reserve(store, held, worst=10).granted if held else set()
    results = [(one, answered(one.model, reply(json.loads(one.body)))) for one in held if one.id in granted]
    with store.write() as connection:
        settled = [store_builders.settlement(one, final, cost=1) for one, final in results]
        ledger.settle(connection, batch_no, settled)
        refused = [store_builders.without_call(one, REFUSED) for one in held if one.id not in granted]
        ledger.apply_results(connection, batch_no, refused)
    return len(results)


def answered(model: str | None, text: str) -> RequestResult:
    return RequestResult(
        "succeeded", model=model, body=learning.completion(text), status_code=200, latency_ms=1
    )


def finish(context: WorkerContext, batch_no: int) -> int:
    """Run the judge stage and answer its calls until the run ends; return the number of calls."""
    calls = 0
    while store_builders.row(context.store, batch_no)["status"] == "ingesting":
        assert judge_chunks(context, batch_no)
        calls += answer(context.store, batch_no)
    return calls


def begin(context: WorkerContext, **options: Any) -> tuple[str, int]:
    run = judging.begin(context.store, context.settings, **options)
    return run.batch_id, learning.batch_no(context.store, run.batch_id)


def verdicts(store: Store) -> Counter[tuple[Any, ...]]:
    columns = [verdict.c[name] for name in ("batch_no", "prompt_id", "judge", "first", "second", "number")]
    with store.read() as connection:
        return Counter(tuple(row) for row in connection.execute(select(*columns)))
