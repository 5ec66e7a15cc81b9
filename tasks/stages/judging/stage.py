"""The judge stage: a worker looks at a chunk of prompts, hears what judges said, and asks what is next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from router_core.judging.prompt import Limits
from tasks.settings import JudgeSettings
from tasks.stages.chunk_lease import claimed_chunk
from tasks.stages.context import WorkerContext
from tasks.stages.judging.plan import Rules, step
from tasks.stages.judging.texts import answer_of, judge_body, question_of
from tasks.store import chunks
from tasks.store.engine import Store
from tasks.store.learning import judge_runs, run_queries
from tasks.store.learning.values import JudgeRequest, PromptState, Step
from tasks.store.values import HeldChunk

#: how often a run looks at its chunks: so many a second over all of them, and no chunk more often than this
LOOKS_PER_S = 5.0
SOONEST_S = 0.4


def judge_chunk(context: WorkerContext, chunk_id: int, epoch: int) -> None:
    """Bring the prompts of one chunk forward; while any of them is open the chunk comes again."""
    with claimed_chunk(context, chunk_id, epoch, chunks.JUDGE) as held:
        if held is None:
            return
        with context.store.read() as connection:
            found = run_queries.states(connection, held)
            strengths = run_queries.win_rates(connection, held.batch_no)
            open_chunks = judge_runs.open_chunks(connection, held.batch_no)
        rules = _rules(held, context.settings.judge)
        steps = [step(state, rules, strengths) for state in found]
        asked, characters = _asked(context.store, context.settings.judge, found, steps)
        with context.store.write() as connection:
            judge_runs.advance(
                connection, held, steps, asked, after_s=max(SOONEST_S, open_chunks / LOOKS_PER_S)
            )
            run_queries.record_lengths(connection, characters)


def _rules(held: HeldChunk, settings: JudgeSettings) -> Rules:
    return Rules(held.options.models, settings.repeats, held.options.every_pair)


def _asked(
    store: Store, settings: JudgeSettings, found: Sequence[PromptState], steps: Sequence[Step]
) -> tuple[list[JudgeRequest], dict[tuple[int, str], int]]:
    """Return the calls with their texts, and how long the answers are that are compared."""
    wanted = {one.prompt_id: one for one in steps if one.asks}
    answers = {state.prompt_id: state.answers for state in found}
    needed = {
        (prompt_id, model): answers[prompt_id][model]
        for prompt_id, one in wanted.items()
        for ask in one.asks
        for model in (ask.first, ask.second)
    }
    with store.read() as connection:
        messages = run_queries.questions(connection, list(wanted))
        completions = run_queries.completions(connection, needed.values())
    texts = {key: answer_of(completions[request_id]) for key, request_id in needed.items()}
    questions = {prompt_id: question_of(asked) for prompt_id, asked in messages.items()}
    asked = list(_with_bodies(wanted, questions, texts, settings))
    return asked, {key: len(text) for key, text in texts.items()}


def _with_bodies(
    wanted: Mapping[int, Step],
    questions: Mapping[int, str],
    texts: Mapping[tuple[int, str], str],
    settings: JudgeSettings,
) -> Iterator[JudgeRequest]:
    limits = Limits(question=settings.max_question_chars, answer=settings.max_answer_chars)
    for prompt_id, one in wanted.items():
        for ask in one.asks:
            first, second = texts[prompt_id, ask.first], texts[prompt_id, ask.second]
            body = None
            if first != second:  # equal answers are a tie, whoever is asked
                body = judge_body(
                    questions[prompt_id], first, second, limits=limits, max_tokens=settings.max_tokens
                )
            yield JudgeRequest(prompt_id, ask, body, settings.max_tokens)
