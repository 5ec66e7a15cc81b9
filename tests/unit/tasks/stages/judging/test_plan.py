"""The next step of a judge worker for a prompt, from the state in the store."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count

from router_core.judging.tournament import all_pairs
from router_core.judging.verdicts import Verdict
from router_core.judging.win_rates import VerdictCount, WinRates
from tasks.stages.judging.plan import JudgeRules, next_step
from tasks.store.learning.values import JudgeCall, JudgeCallEnd, JudgeStep, PromptState, StoredVerdict
from tests.support.comparisons import assert_fields

MODELS = ("a", "b", "c")
RULES = JudgeRules(("j1", "j2"), repeats=1, every_pair=False)
EVERY_PAIR = replace(RULES, every_pair=True)
#: a is better than b, b than c
QUALITY = {"a": 3, "b": 2, "c": 1}


class Tournament:
    """A prompt's state in the store, with judges that never err."""

    def __init__(self, rules: JudgeRules = RULES, models: tuple[str, ...] = MODELS) -> None:
        self.rules, self._ids = rules, count(1)
        self.state = PromptState(7, "coding", {model: number for number, model in enumerate(models)}, ())

    def step(self) -> JudgeStep:
        return next_step(self.state, self.rules, WinRates())

    def start(self, calls: tuple[JudgeCall, ...]) -> None:
        rows = [
            StoredVerdict(next(self._ids), call.judge, call.first, call.second, call.number, None, None, True)
            for call in calls
        ]
        self.state = replace(self.state, verdicts=(*self.state.verdicts, *rows))

    def end(self, one: StoredVerdict, end: JudgeCallEnd) -> None:
        verdicts = [replace(v, end=end) if v.id == one.id else v for v in self.state.verdicts]
        self.state = replace(self.state, verdicts=tuple(verdicts))

    def answer_all(self) -> None:
        for one in self.state.verdicts:
            if one.verdict is None and one.end is None:
                self.end(one, JudgeCallEnd(reply(QUALITY[one.first] > QUALITY[one.second]), None))

    def record(self, step: JudgeStep) -> None:
        parsed = dict(step.parsed_replies)
        verdicts = [
            replace(v, verdict=parsed[v.id], end=None) if v.id in parsed else v for v in self.state.verdicts
        ]
        self.state = replace(self.state, verdicts=tuple(verdicts))

    def play(self) -> JudgeStep:
        for _ in range(20):
            step = self.step()
            self.record(step)
            if step.state != "open":
                return step
            self.start(step.calls)
            self.answer_all()
        raise AssertionError("it does not end")


def reply(first: bool) -> str:
    choice = "A" if first else "B"
    verdict = {"clarity": choice, "accuracy": choice, "completeness": choice, "winner": choice}
    return completion(json.dumps(verdict))


def completion(text: str) -> str:
    return json.dumps({"choices": [{"message": {"content": text}}]})


def test_a_pair_goes_to_every_judge_in_both_orders() -> None:
    step = Tournament().step()
    assert step.state == "open"
    assert len(step.calls) == 4
    pairs = {(call.judge, frozenset((call.first, call.second))) for call in step.calls}
    assert len(pairs) == 2, "one pair, two judges"
    assert len({(call.judge, call.first) for call in step.calls}) == 4, (
        "each answer first once for each judge"
    )


def test_no_call_is_made_while_others_are_in_flight() -> None:
    prompt = Tournament()
    prompt.start(prompt.step().calls)
    assert prompt.step() == JudgeStep(7, (), (), "open", 0)


def test_a_worker_does_not_repeat_the_calls_of_another_worker() -> None:
    prompt = Tournament()
    first = prompt.step().calls
    prompt.start(first)
    prompt.end(prompt.state.verdicts[0], JudgeCallEnd(reply(True), None))
    assert prompt.step().calls == ()


def test_the_winner_is_settled_and_no_call_is_made_twice() -> None:
    prompt = Tournament()
    last = prompt.play()
    keys = [(v.judge, v.first, v.second) for v in prompt.state.verdicts]
    assert last.state == "settled"
    assert len(keys) == len(set(keys)) == 4 * last.judged
    assert 2 <= last.judged <= 3


def test_every_pair_is_judged_where_that_is_wanted() -> None:
    prompt = Tournament(EVERY_PAIR)
    assert len(prompt.step().calls) == 4 * len(all_pairs(MODELS))
    assert prompt.play().judged == 3


def test_a_call_is_repeated_once_after_an_invalid_reply() -> None:
    prompt = Tournament(models=("a", "b"))
    prompt.start(prompt.step().calls)
    invalid = prompt.state.verdicts[0]
    prompt.answer_all()
    prompt.end(invalid, JudgeCallEnd(completion("I like A"), None))
    step = prompt.step()
    assert dict(step.parsed_replies)[invalid.id] == Verdict.NONE
    assert step.calls == (JudgeCall(invalid.judge, invalid.first, invalid.second, 2),)
    prompt.record(step)
    prompt.start(step.calls)
    prompt.end(prompt.state.verdicts[-1], JudgeCallEnd(completion("{}"), None))
    last = prompt.step()
    assert_fields(last, state="settled", calls=(), judged=1)


def test_a_call_that_failed_is_not_repeated_here() -> None:
    prompt = Tournament(models=("a", "b"))
    prompt.start(prompt.step().calls)
    for one in prompt.state.verdicts:
        prompt.end(one, JudgeCallEnd(None, "server_error"))
    last = prompt.step()
    assert_fields(last, state="settled", calls=())
    assert {verdict for _, verdict in last.parsed_replies} == {"unanswered"}


def test_a_spent_budget_stops_the_prompt() -> None:
    prompt = Tournament()
    prompt.start(prompt.step().calls)
    for one in prompt.state.verdicts:
        prompt.end(one, JudgeCallEnd(None, "budget_exceeded"))
    last = prompt.step()
    assert_fields(last, state="stopped", calls=())


def test_pairs_that_an_earlier_run_has_judged_are_not_judged_again() -> None:
    prompt = Tournament()
    prompt.play()
    earlier = tuple(replace(v, of_this_run=False) for v in prompt.state.verdicts)
    prompt.state = replace(prompt.state, verdicts=earlier)
    assert prompt.step().state == "settled"
    assert prompt.step().calls == ()


def test_a_later_run_repeats_a_call_that_failed_in_an_earlier_one() -> None:
    prompt = Tournament(models=("a", "b"))
    prompt.play()
    lost = replace(prompt.state.verdicts[0], verdict="unanswered")
    earlier = tuple(replace(v, of_this_run=False) for v in (lost, *prompt.state.verdicts[1:]))
    prompt.state = replace(prompt.state, verdicts=earlier)
    assert prompt.step().calls == (JudgeCall(lost.judge, lost.first, lost.second),)


def test_a_new_judge_is_called_although_others_have_judged() -> None:
    prompt = Tournament()
    prompt.play()
    earlier = tuple(replace(v, of_this_run=False) for v in prompt.state.verdicts)
    prompt.state, prompt.rules = replace(prompt.state, verdicts=earlier), replace(RULES, judges=("j1", "j3"))
    assert {call.judge for call in prompt.step().calls} == {"j3"}


def test_win_rates_are_shrunk_to_a_half_where_there_are_few_verdicts() -> None:
    counts = [
        VerdictCount("coding", "a", "b", Verdict.FIRST, 40),
        VerdictCount("coding", "b", "a", Verdict.SECOND, 40),
        VerdictCount("other", "a", "b", Verdict.SECOND, 20),
        VerdictCount("other", "a", "b", Verdict.NONE, 20),
    ]
    win_rates = WinRates(counts)
    coding, unknown = win_rates.expected_for("abc", "coding"), win_rates.expected_for("abc", "poems")
    assert coding["a"] > 0.9 > unknown["a"] > 0.5 > unknown["b"] > coding["b"]
    assert coding["c"] == unknown["c"] == 0.5
    assert win_rates.expected_for("ab", "other")["b"] > 0.7
