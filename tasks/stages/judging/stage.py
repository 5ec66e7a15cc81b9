"""The judge stage: a worker reads the replies on a chunk of prompts and adds the judges' next calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from router_core.judging.prompt import TextLimits
from tasks.settings import JudgeSettings
from tasks.stages.chunk_lease import claimed_chunk
from tasks.stages.context import WorkerContext
from tasks.stages.judging.plan import JudgeRules, next_step
from tasks.stages.judging.texts import answer_of, judge_body, question_of
from tasks.store import chunks
from tasks.store.engine import Store
from tasks.store.learning import judge_runs, run_queries
from tasks.store.learning.values import JudgeRequest, JudgeStep, PromptState
from tasks.store.values import HeldChunk

#: the rate at which the chunks of a run are worked on together, and the shortest interval of a single chunk
POLLS_PER_S = 5.0
MIN_POLL_S = 0.4


def judge_chunk(context: WorkerContext, chunk_id: int, epoch: int) -> None:
    """Make the next step for each prompt of a chunk; while any of them is open, the chunk is postponed."""
    with claimed_chunk(context, chunk_id, epoch, chunks.JUDGE) as held:
        if held is None:
            return
        with context.store.read() as connection:
            states = run_queries.states(connection, held)
            win_rates = run_queries.win_rates(connection, held.batch_no)
            open_chunks = judge_runs.open_chunks(connection, held.batch_no)
        rules = _rules(held, context.settings.judge)
        steps = [next_step(state, rules, win_rates) for state in states]
        requests, lengths = _judge_requests(context.store, context.settings.judge, states, steps)
        with context.store.write() as connection:
            judge_runs.advance(
                connection, held, steps, requests, after_s=max(MIN_POLL_S, open_chunks / POLLS_PER_S)
            )
            run_queries.record_lengths(connection, lengths)


def _rules(held: HeldChunk, settings: JudgeSettings) -> JudgeRules:
    return JudgeRules(held.options.models, settings.repeats, held.options.every_pair)


def _judge_requests(
    store: Store, settings: JudgeSettings, states: Sequence[PromptState], steps: Sequence[JudgeStep]
) -> tuple[list[JudgeRequest], dict[tuple[int, str], int]]:
    """Return the requests to the judges, and the length of each compared answer by (prompt, model)."""
    with_calls = {step.prompt_id: step for step in steps if step.calls}
    request_ids = {state.prompt_id: state.answers for state in states}
    compared = {
        (prompt_id, model): request_ids[prompt_id][model]
        for prompt_id, step in with_calls.items()
        for call in step.calls
        for model in (call.first, call.second)
    }
    with store.read() as connection:
        asked = run_queries.questions(connection, list(with_calls))
        completions = run_queries.completions(connection, compared.values())
    answers = {
        (prompt_id, model): answer_of(completions[request_id], asked[prompt_id][0])
        for (prompt_id, model), request_id in compared.items()
    }
    questions = {prompt_id: question_of(body, endpoint) for prompt_id, (endpoint, body) in asked.items()}
    requests = list(_with_bodies(with_calls, questions, answers, settings))
    return requests, {key: len(text) for key, text in answers.items()}


def _with_bodies(
    steps: Mapping[int, JudgeStep],
    questions: Mapping[int, str],
    answers: Mapping[tuple[int, str], str],
    settings: JudgeSettings,
) -> Iterator[JudgeRequest]:
    limits = TextLimits(question=settings.max_question_chars, answer=settings.max_answer_chars)
    for prompt_id, step in steps.items():
        for call in step.calls:
            first, second = answers[prompt_id, call.first], answers[prompt_id, call.second]
            body = None
            if first != second:  # equal answers are a tie without a call
                body = judge_body(
                    questions[prompt_id], first, second, limits=limits, max_tokens=settings.max_tokens
                )
            yield JudgeRequest(prompt_id, call, body, settings.max_tokens)
