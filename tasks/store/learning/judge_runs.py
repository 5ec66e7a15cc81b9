"""Judge runs: a batch of purpose `judge`, whose requests go to judges, and the prompts that it judges.

A worker holds a chunk of prompts, records the replies of the calls that have ended, and adds the next calls,
all in one transaction under the batch's lock. The next step depends on the store alone, so a worker that dies
changes nothing: the next worker finds the same verdicts and the same calls in flight.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, bindparam, func, insert, select, update

from tasks.errors import UsageError
from tasks.formats.requests import ParsedRequest
from tasks.store import batches, chunks, ingestion
from tasks.store.batch_options import BatchOptions
from tasks.store.deletion import has_prompt
from tasks.store.engine import now_ms
from tasks.store.ids import request_id
from tasks.store.learning import samples
from tasks.store.learning.tables import judged_prompt, sampled_answer, sampled_prompt, verdict
from tasks.store.learning.values import JudgeRequest, JudgeStep
from tasks.store.tables import batch, chunk, outcome, request
from tasks.store.values import HeldChunk

JUDGE = "judge"
#: a prompt fails after its judge workers have died this often
MAX_LOSSES = 3


def begin(
    connection: Connection,
    collections: Sequence[int],
    *,
    source: str,
    options: BatchOptions,
    budget: int | None,
) -> tuple[RowMapping, int]:
    """Create a run over the prompts of collecting batches.

    Args:
        connection: A transaction that writes.
        collections: The numbers of the collecting batches.
        source: The name of the answers' origin, for people.
        options: The batch options; their models are the judges.
        budget: The cap on the cost in micro-dollars; None for no cap.

    Returns:
        The row of the run's batch, and the number of prompts.

    Raises:
        UsageError: No prompt has two answers, or another run is judging these prompts.
    """
    prompts = comparable(connection, collections)
    if not prompts:
        raise UsageError("no prompt has answers of two models: nothing can be compared")
    _refuse_concurrent_run(connection, [prompt_id for prompt_id, _ in prompts])
    row = batches.create(connection, source=source, options=options, budget=budget, purpose=JUDGE)
    parts = [prompts[at : at + options.chunk_size] for at in range(0, len(prompts), options.chunk_size)]
    new_chunks = [chunks.NewChunk(chunks.JUDGE, [prompt_id for prompt_id, _ in part]) for part in parts]
    ids = chunks.open_chunks(connection, row["no"], new_chunks)
    rows = [
        {
            "batch_no": row["no"], "prompt_id": prompt_id, "chunk_id": chunk_id, "state": "open",
            "pairs": answers * (answers - 1) // 2,
        }
        for chunk_id, part in zip(ids, parts, strict=True)
        for prompt_id, answers in part
    ]  # fmt: skip
    connection.execute(insert(judged_prompt), rows)
    return row, len(rows)


def advance(
    connection: Connection,
    held: HeldChunk,
    steps: Sequence[JudgeStep],
    judge_requests: Sequence[JudgeRequest],
    *,
    after_s: float,
) -> None:
    """Record the parsed replies, add the next calls, and postpone the chunk or close it.

    Raises:
        StaleWork: The chunk was taken away in the meantime; nothing changed.
    """
    row = batches.lock(connection, held.batch_no)
    _record_verdicts(connection, [parsed for step in steps for parsed in step.parsed_replies])
    if row["status"] != "ingesting":  # cancelled: the calls in flight end without further action
        _set_states(connection, held.batch_no, [(step.prompt_id, "stopped", step.judged) for step in steps])
        chunks.close(connection, held)
        return
    _add_calls(connection, row, held.options, judge_requests)
    _set_states(connection, held.batch_no, [(step.prompt_id, step.state, step.judged) for step in steps])
    if any(step.state == "open" for step in steps):
        chunks.postpone(connection, held, after_s=after_s)
    else:
        chunks.close(connection, held)
        finish_if_judged(connection, held.batch_no)


def finish_if_judged(connection: Connection, batch_no: int) -> None:
    """End the run's ingestion once none of its prompts is open: all of its calls are in the store then."""
    open_prompts = select(judged_prompt.c.prompt_id).where(
        judged_prompt.c.batch_no == batch_no, judged_prompt.c.state == "open"
    )
    if connection.execute(open_prompts.limit(1)).first() is None:
        ingestion.finish(connection, batch_no)


def reclaim(connection: Connection, batch_no: int, chunk_id: int) -> None:
    """Announce a chunk again whose worker died; prompts that were lost too often fail.

    The caller holds the batch's lock.
    """
    is_open = (judged_prompt.c.chunk_id == chunk_id, judged_prompt.c.state == "open")
    connection.execute(update(judged_prompt).where(*is_open).values(losses=judged_prompt.c.losses + 1))
    lost_too_often = update(judged_prompt).where(*is_open, judged_prompt.c.losses >= MAX_LOSSES)
    connection.execute(lost_too_often.values(state="failed"))
    still_open = connection.execute(select(judged_prompt.c.prompt_id).where(*is_open).limit(1)).first()
    state = "queued" if still_open is not None else "done"
    reclaimed = update(chunk).where(chunk.c.id == chunk_id).values(
        state=state, epoch=chunk.c.epoch + 1, lease_until=0, published_at=0, opened_at=now_ms()
    )  # fmt: skip
    epoch = connection.execute(reclaimed.returning(chunk.c.epoch)).scalar_one()
    if still_open is not None:
        chunks.announce(connection, [(chunk_id, epoch, chunks.JUDGE, chunks.JUDGE)])
    else:
        finish_if_judged(connection, batch_no)


def open_chunks(connection: Connection, batch_no: int) -> int:
    """Return the number of the run's chunks that have open prompts."""
    query = select(func.count()).where(
        chunk.c.batch_no == batch_no, chunk.c.stage == chunks.JUDGE, chunk.c.state != "done"
    )
    return connection.execute(query).scalar_one()


def comparable(connection: Connection, collections: Sequence[int]) -> list[tuple[int, int]]:
    """Return (prompt id, number of answers) of the prompts with at least two answers."""
    query = (
        select(sampled_answer.c.prompt_id, func.count())
        .join(sampled_prompt, sampled_prompt.c.id == sampled_answer.c.prompt_id)
        .join(outcome, samples.is_answer())
        .join(request, request.c.id == sampled_prompt.c.request_id)
        .where(sampled_prompt.c.batch_no.in_(collections), has_prompt())
        .where(outcome.c.status == "succeeded", outcome.c.body.is_not(None))
        .group_by(sampled_answer.c.prompt_id)
        .having(func.count() > 1)
        .order_by(sampled_answer.c.prompt_id)
    )
    return [(row[0], row[1]) for row in connection.execute(query)]


def _refuse_concurrent_run(connection: Connection, prompt_ids: Sequence[int]) -> None:
    query = (
        select(batch.c.id)
        .join(judged_prompt, judged_prompt.c.batch_no == batch.c.no)
        .where(batch.c.status.in_(batches.OPEN), judged_prompt.c.state == "open")
        .where(judged_prompt.c.prompt_id.between(prompt_ids[0], prompt_ids[-1]))
    )
    other = connection.execute(query.limit(1)).scalar_one_or_none()
    if other is not None:
        raise UsageError(f"{other} judges these prompts now: wait for it or cancel it")


def _record_verdicts(connection: Connection, parsed_replies: Sequence[tuple[int, str]]) -> None:
    if not parsed_replies:
        return
    statement = update(verdict).where(verdict.c.id == bindparam("v")).values(verdict=bindparam("parsed"))
    connection.execute(statement, [{"v": row_id, "parsed": parsed} for row_id, parsed in parsed_replies])
    # An answered call is not retried, so the body of its request, which holds two answers, can be deleted.
    answered = (
        select(verdict.c.request_id)
        .join(outcome, outcome.c.request_id == verdict.c.request_id)
        .where(verdict.c.id.in_([row_id for row_id, _ in parsed_replies]), outcome.c.status == "succeeded")
    )
    connection.execute(update(request).where(request.c.id.in_(answered)).values(body="{}"))


def _add_calls(
    connection: Connection, row: RowMapping, options: BatchOptions, judge_requests: Sequence[JudgeRequest]
) -> None:
    calls = [one for one in judge_requests if one.body is not None]
    lines = {one: row["lines_read"] + number for number, one in enumerate(calls, start=1)}
    if calls:
        ingestion.ingest(connection, row["no"], options, [_request(one, line) for one, line in lines.items()])
    rows = [
        {
            "batch_no": row["no"], "prompt_id": one.prompt_id, "judge": one.call.judge,
            "first": one.call.first, "second": one.call.second, "number": one.call.number,
            "request_id": request_id(row["no"], lines[one]) if one in lines else None,
            "verdict": None if one in lines else "tie",
        }
        for one in judge_requests
    ]  # fmt: skip
    if rows:
        connection.execute(insert(verdict), rows)


def _request(one: JudgeRequest, line: int) -> ParsedRequest:
    call = one.call
    custom_id = f"{one.prompt_id}:{call.judge}:{call.first}:{call.second}:{call.number}"
    return ParsedRequest(line, custom_id, call.judge, one.body or "", 2, "", one.max_tokens)


def _set_states(connection: Connection, batch_no: int, states: Sequence[tuple[int, str, int]]) -> None:
    if not states:
        return
    statement = update(judged_prompt).where(
        judged_prompt.c.batch_no == batch_no, judged_prompt.c.prompt_id == bindparam("p")
    )
    connection.execute(
        statement.values(state=bindparam("to_state"), judged=bindparam("to_judged")),
        [{"p": prompt_id, "to_state": state, "to_judged": judged} for prompt_id, state, judged in states],
    )
