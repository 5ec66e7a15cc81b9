"""The queries of a judge run: the states of its prompts, the texts to compare, and the run's progress."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, select, update

from router_core.judging.verdicts import Verdict
from router_core.judging.win_rates import VerdictCount, WinRates
from tasks.endpoints.endpoint import CHAT_PATH
from tasks.json_values import object_of
from tasks.store.learning import samples
from tasks.store.learning.tables import judged_prompt, sampled_answer, sampled_prompt, verdict
from tasks.store.learning.values import JudgeCallEnd, PromptState, StoredVerdict
from tasks.store.tables import outcome, request
from tasks.store.values import HeldChunk


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The progress of a judge run.

    Attributes:
        batch_id: The run's batch.
        judges: The models that judge.
        prompts: The number of prompts by state.
        pairs: The number of all pairs.
        judged: The number of judged pairs.
        settled_pairs: The number of all pairs of the settled prompts.
        settled_judged: The number of their judged pairs.
        calls: The number of calls made.
        calls_of_all_pairs: The number of calls that judging every pair would need.
    """

    batch_id: str
    judges: tuple[str, ...]
    prompts: dict[str, int]
    pairs: int
    judged: int
    calls: int
    calls_of_all_pairs: int
    settled_pairs: int = 0
    settled_judged: int = 0


def states(connection: Connection, held: HeldChunk) -> list[PromptState]:
    """Return the open prompts of a chunk, with their answers and all verdicts on them."""
    query = (
        select(judged_prompt.c.prompt_id)
        .where(judged_prompt.c.batch_no == held.batch_no, judged_prompt.c.chunk_id == held.id)
        .where(judged_prompt.c.state == "open")
    )
    ids = list(connection.execute(query).scalars())
    return states_of(connection, ids, batch_no=held.batch_no)


def states_of(
    connection: Connection, prompt_ids: Sequence[int], *, batch_no: int | None = None
) -> list[PromptState]:
    """Return these prompts with their answers and all verdicts on them, those of a run as its own."""
    query = select(sampled_prompt.c.id, sampled_prompt.c.category).order_by(sampled_prompt.c.id)
    prompts = connection.execute(query.where(sampled_prompt.c.id.in_(prompt_ids))).all()
    answers, verdicts = _answers(connection, prompt_ids), _verdicts(connection, batch_no, prompt_ids)
    return [
        PromptState(row.id, row.category, answers.get(row.id, {}), tuple(verdicts.get(row.id, ())))
        for row in prompts
    ]


def win_rates(connection: Connection, batch_no: int) -> WinRates:
    """Return the win rates of the models from the run's verdicts so far."""
    query = (
        select(sampled_prompt.c.category, verdict.c.first, verdict.c.second, verdict.c.verdict, func.count())
        .join(sampled_prompt, sampled_prompt.c.id == verdict.c.prompt_id)
        .where(verdict.c.batch_no == batch_no)
        .where(verdict.c.verdict.in_((Verdict.FIRST, Verdict.SECOND, Verdict.TIE)))
        .group_by(sampled_prompt.c.category, verdict.c.first, verdict.c.second, verdict.c.verdict)
    )
    return WinRates(VerdictCount(c, a, b, Verdict(v), n) for c, a, b, v, n in connection.execute(query))


def questions(connection: Connection, prompt_ids: Sequence[int]) -> dict[int, tuple[str, Any]]:
    """Return the endpoint and the body of these sampled prompts' requests, by prompt id."""
    query = (
        select(sampled_prompt.c.id, request.c.endpoint, request.c.body)
        .join(request, request.c.id == sampled_prompt.c.request_id)
        .where(sampled_prompt.c.id.in_(prompt_ids))
    )
    rows = connection.execute(query)
    return {row.id: (row.endpoint or CHAT_PATH, json.loads(row.body)) for row in rows}


def completions(connection: Connection, request_ids: Iterable[int]) -> dict[int, Mapping[str, Any]]:
    """Return the replies to these requests, by request id."""
    query = select(outcome.c.request_id, outcome.c.body).where(
        outcome.c.request_id.in_(list(request_ids)), outcome.c.body.is_not(None)
    )
    return {row.request_id: _object(row.body) for row in connection.execute(query)}


def _object(body: str) -> dict[str, Any]:
    """Return a stored reply; an empty one where it is damaged: other prompts are judged all the same."""
    try:
        return object_of(json.loads(body))
    except ValueError:
        return {}


def record_lengths(connection: Connection, characters: Mapping[tuple[int, str], int]) -> None:
    """Store the lengths of answers in characters, by (sampled prompt, model)."""
    if characters:
        statement = update(sampled_answer).where(
            sampled_answer.c.prompt_id == bindparam("p"), sampled_answer.c.model == bindparam("m")
        )
        rows = [{"p": p, "m": model, "n": length} for (p, model), length in characters.items()]
        connection.execute(statement.values(characters=bindparam("n")), rows)


def summary(connection: Connection, row: RowMapping) -> RunSummary:
    """Return the progress of the run with this batch row."""
    query = (
        select(
            judged_prompt.c.state,
            func.count(),
            func.sum(judged_prompt.c.pairs),
            func.sum(judged_prompt.c.judged),
        )
        .where(judged_prompt.c.batch_no == row["no"])
        .group_by(judged_prompt.c.state)
    )
    counts = connection.execute(query).all()
    judges = tuple(row["options"]["models"])
    pairs = sum(int(count[2]) for count in counts)
    settled = [(int(count[2]), int(count[3])) for count in counts if count[0] == "settled"]
    return RunSummary(
        batch_id=row["id"],
        judges=judges,
        prompts={count[0]: count[1] for count in counts},
        pairs=pairs,
        judged=sum(int(count[3]) for count in counts),
        calls=row["calls"],
        calls_of_all_pairs=2 * pairs * len(judges),
        settled_pairs=sum(of_state[0] for of_state in settled),
        settled_judged=sum(of_state[1] for of_state in settled),
    )


def _answers(connection: Connection, prompt_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    query = (
        select(sampled_answer.c.prompt_id, sampled_answer.c.model, sampled_answer.c.request_id)
        .join(outcome, samples.is_answer())
        .where(sampled_answer.c.prompt_id.in_(prompt_ids))
        .where(outcome.c.status == "succeeded", outcome.c.body.is_not(None))
    )
    answers: dict[int, dict[str, int]] = {}
    for row in connection.execute(query):
        answers.setdefault(row.prompt_id, {})[row.model] = row.request_id
    return answers


def _verdicts(
    connection: Connection, batch_no: int | None, prompt_ids: Sequence[int]
) -> dict[int, list[StoredVerdict]]:
    """Return the verdicts on these prompts, and those on the very same answers in other collections."""
    ended = outcome.c.status.label("ended")
    query = (
        select(verdict, ended, outcome.c.body, outcome.c.error_code)
        .outerjoin(outcome, (outcome.c.request_id == verdict.c.request_id) & verdict.c.verdict.is_(None))
        .where(verdict.c.prompt_id.in_(prompt_ids))
        .order_by(verdict.c.id)
    )
    verdicts: dict[int, list[StoredVerdict]] = {}
    for row in connection.execute(query):
        end = None
        if row.ended is not None:
            end = JudgeCallEnd(row.body if row.ended == "succeeded" else None, row.error_code)
        one = StoredVerdict(
            row.id, row.judge, row.first, row.second, row.number, row.verdict, end, row.batch_no == batch_no
        )
        verdicts.setdefault(row.prompt_id, []).append(one)
    for prompt_id, one in _verdicts_elsewhere(connection, prompt_ids):
        verdicts.setdefault(prompt_id, []).append(one)
    return verdicts


def _verdicts_elsewhere(
    connection: Connection, prompt_ids: Sequence[int]
) -> Iterator[tuple[int, StoredVerdict]]:
    """Yield (prompt id, verdict) for what was judged as part of another collection that shares both answers.

    `collect` takes answers that were paid for before, so a prompt that is collected again has the same ones.
    """
    other = sampled_prompt.alias()
    query = (
        select(sampled_prompt.c.id.label("asked"), verdict)
        .join(
            other, (other.c.prompt_hash == sampled_prompt.c.prompt_hash) & (other.c.id != sampled_prompt.c.id)
        )
        .join(verdict, verdict.c.prompt_id == other.c.id)
        .where(sampled_prompt.c.id.in_(prompt_ids), verdict.c.verdict.is_not(None))
        .order_by(verdict.c.id)
    )
    for shown in (verdict.c.first, verdict.c.second):
        here, there = sampled_answer.alias(), sampled_answer.alias()
        query = query.join(here, (here.c.prompt_id == sampled_prompt.c.id) & (here.c.model == shown)).join(
            there,
            (there.c.prompt_id == other.c.id)
            & (there.c.model == shown)
            & (there.c.request_id == here.c.request_id),
        )
    for row in connection.execute(query):
        one = StoredVerdict(row.id, row.judge, row.first, row.second, row.number, row.verdict, None, False)
        yield row.asked, one
