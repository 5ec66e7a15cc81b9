"""What a run of judges would compare and cost, before a call is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from router_core.judging.prompt import TextLimits
from router_core.judging.win_rates import WinRates
from tasks.learning import judging
from tasks.learning.call_costs import Call, CallCosts, costs_of, total
from tasks.settings import Settings
from tasks.stages.judging.plan import JudgeRules, missing_calls, next_step
from tasks.stages.judging.texts import answer_of, judge_body, question_of
from tasks.store.bulk import batched_ids
from tasks.store.engine import Store
from tasks.store.learning import judge_runs, run_queries
from tasks.store.learning.calls_to_come import fewest_pairs
from tasks.store.learning.values import PromptState

#: the length of a judge's JSON object, in tokens; one that thinks writes more
REPLY_TOKENS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePlan:
    """The pairs that a run would judge, at most and at the fewest: if each winner is known as soon as can be.

    Attributes:
        prompts: The prompts with answers to compare.
        fewest_pairs: The fewest pairs that need calls.
        pairs: The most pairs that need calls: not those of equal answers, nor those that were judged before.
        costs: The costs of all of these pairs, by judge.
        fewest: The costs of the fewest pairs.
    """

    prompts: int
    fewest_pairs: int
    pairs: int
    costs: dict[str, CallCosts]
    fewest: CallCosts

    @property
    def most(self) -> CallCosts:
        """The costs of all pairs."""
        return total(self.costs)


@dataclass(frozen=True, slots=True)
class _Prompt:
    """The pairs of one prompt that need calls, and the costs of all of them by judge."""

    fewest_pairs: int
    pairs: int
    costs: Mapping[str, CallCosts]


def plan(
    store: Store,
    settings: Settings,
    collections: Sequence[str] = (),
    *,
    judges: Sequence[str] = (),
    every_pair: bool = False,
) -> JudgePlan:
    """Return what `judging.begin` would start with the same arguments, and raise what it raises."""
    names = judging.judges_of(settings, judges)
    rules = JudgeRules(names, settings.judge.repeats, every_pair)
    with store.read() as connection:
        rows = judging.collections_of(connection, collections)
        prompts = [prompt_id for prompt_id, _ in judge_runs.comparable(connection, [r["no"] for r in rows])]
        found = [
            one
            for part in batched_ids(prompts, judging.CHUNK_SIZE)
            for one in _planned(connection, settings, rules, part)
        ]
    return JudgePlan(
        prompts=len(prompts),
        fewest_pairs=sum(one.fewest_pairs for one in found),
        pairs=sum(one.pairs for one in found),
        costs={name: sum((one.costs[name] for one in found), CallCosts()) for name in names},
        fewest=sum((total(one.costs).share(one.fewest_pairs, one.pairs) for one in found), CallCosts()),
    )


def _planned(
    connection: Connection, settings: Settings, rules: JudgeRules, prompt_ids: Sequence[int]
) -> Iterator[_Prompt]:
    states = run_queries.states_of(connection, prompt_ids)
    asked = run_queries.questions(connection, prompt_ids)
    replies = run_queries.completions(
        connection, [answer for state in states for answer in state.answers.values()]
    )
    for state in states:
        body, endpoint = asked[state.prompt_id][1], asked[state.prompt_id][0]
        answers = {model: answer_of(replies[answer], endpoint) for model, answer in state.answers.items()}
        yield _of_prompt(settings, rules, state, question_of(body, endpoint), answers)


def _of_prompt(
    settings: Settings, rules: JudgeRules, state: PromptState, question: str, answers: Mapping[str, str]
) -> _Prompt:
    if not next_step(state, rules, WinRates()).calls:  # earlier runs have found the winner
        return _Prompt(0, 0, dict.fromkeys(rules.judges, CallCosts()))
    missing = missing_calls(state, rules)
    needed = {
        pair: calls for pair, calls in missing.items() if calls and answers[pair[0]] != answers[pair[1]]
    }
    calls: dict[str, list[Call]] = {name: [] for name in rules.judges}
    for (first, second), of_pair in needed.items():
        priced = _call(settings, question, answers[first], answers[second])
        for one in of_pair:
            calls[one.judge].append(priced)
    fewest = len(needed) if rules.every_pair else fewest_pairs(len(missing)) - len(missing) + len(needed)
    costs = {
        name: costs_of(settings.model(name), own, answer_tokens=REPLY_TOKENS) for name, own in calls.items()
    }
    return _Prompt(max(0, fewest), len(needed), costs)


def _call(settings: Settings, question: str, first: str, second: str) -> Call:
    """Return the call that shows two answers; the other order is as long."""
    judge = settings.judge
    limits = TextLimits(question=judge.max_question_chars, answer=judge.max_answer_chars)
    body = judge_body(question, first, second, limits=limits, max_tokens=judge.max_tokens)
    return Call(body, 2, judge.max_tokens)
