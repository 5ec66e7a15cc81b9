"""What a judge worker does next with a prompt, from what the store says."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count

from router_core.judging.tournament import all_pairs
from router_core.judging.verdicts import Verdict
from router_core.judging.win_rates import VerdictCount, WinRates
from tasks.stages.judging.plan import Rules, step
from tasks.store.learning.values import CallEnd, JudgeCall, PromptState, Step, StoredVerdict

MODELS = ("a", "b", "c")
RULES = Rules(("j1", "j2"), repeats=1, every_pair=False)
EVERY_PAIR = replace(RULES, every_pair=True)
#: a is better than b, b than c
WORTH = {"a": 3, "b": 2, "c": 1}


class Game:
    """A prompt's row in the store, played by perfect judges."""

    def __init__(self, rules: Rules = RULES, models: tuple[str, ...] = MODELS) -> None:
        self.rules, self._ids = rules, count(1)
        self.state = PromptState(7, "coding", {model: number for number, model in enumerate(models)}, ())

    def step(self) -> Step:
        return step(self.state, self.rules, WinRates())

    def ask(self, asks: tuple[JudgeCall, ...], *, mine: bool = True) -> None:
        rows = [
            StoredVerdict(next(self._ids), ask.judge, ask.first, ask.second, ask.number, None, None, mine)
            for ask in asks
        ]
        self.state = replace(self.state, verdicts=(*self.state.verdicts, *rows))

    def end(self, one: StoredVerdict, end: CallEnd) -> None:
        verdicts = [replace(v, end=end) if v.id == one.id else v for v in self.state.verdicts]
        self.state = replace(self.state, verdicts=tuple(verdicts))

    def answer_all(self) -> None:
        for one in self.state.verdicts:
            if one.said is None and one.end is None:
                self.end(one, CallEnd(reply(WORTH[one.first] > WORTH[one.second]), None))

    def hear(self, found: Step) -> None:
        said = dict(found.heard)
        verdicts = [replace(v, said=said[v.id], end=None) if v.id in said else v for v in self.state.verdicts]
        self.state = replace(self.state, verdicts=tuple(verdicts))

    def play(self) -> Step:
        for _ in range(20):
            found = self.step()
            self.hear(found)
            if found.state != "open":
                return found
            self.ask(found.asks)
            self.answer_all()
        raise AssertionError("it does not end")


def reply(first: bool) -> str:
    choice = "A" if first else "B"
    said = {"clarity": choice, "accuracy": choice, "completeness": choice, "winner": choice}
    return completion(json.dumps(said))


def completion(text: str) -> str:
    return json.dumps({"choices": [{"message": {"content": text}}]})


def test_a_pair_goes_to_every_judge_in_both_orders() -> None:
    found = Game().step()
    assert found.state == "open"
    assert len(found.asks) == 4
    pairs = {(ask.judge, frozenset((ask.first, ask.second))) for ask in found.asks}
    assert len(pairs) == 2, "one pair, two judges"
    assert len({(ask.judge, ask.first) for ask in found.asks}) == 4, "each answer first once for each judge"


def test_nothing_is_asked_while_calls_are_on_their_way() -> None:
    game = Game()
    game.ask(game.step().asks)
    assert game.step() == Step(7, (), (), "open", 0)


def test_a_worker_that_finds_what_another_one_asked_asks_the_same_of_nobody() -> None:
    game = Game()
    first = game.step().asks
    game.ask(first)
    game.end(game.state.verdicts[0], CallEnd(reply(True), None))
    assert game.step().asks == ()


def test_the_winner_is_settled_and_no_call_is_made_twice() -> None:
    game = Game()
    last = game.play()
    keys = [(v.judge, v.first, v.second) for v in game.state.verdicts]
    assert last.state == "settled"
    assert len(keys) == len(set(keys)) == 4 * last.judged
    assert 2 <= last.judged <= 3


def test_every_pair_is_judged_where_that_is_wanted() -> None:
    game = Game(EVERY_PAIR)
    assert len(game.step().asks) == 4 * len(all_pairs(MODELS))
    assert game.play().judged == 3


def test_a_reply_that_cannot_be_used_is_asked_for_once_more_and_then_given_up() -> None:
    game = Game(models=("a", "b"))
    game.ask(game.step().asks)
    spoilt = game.state.verdicts[0]
    game.answer_all()
    game.end(spoilt, CallEnd(completion("I like A"), None))
    found = game.step()
    assert dict(found.heard)[spoilt.id] == Verdict.NONE
    assert found.asks == (JudgeCall(spoilt.judge, spoilt.first, spoilt.second, 2),)
    game.hear(found)
    game.ask(found.asks)
    game.end(game.state.verdicts[-1], CallEnd(completion("{}"), None))
    last = game.step()
    assert (last.state, last.asks, last.judged) == ("settled", (), 1)


def test_a_call_that_failed_is_not_repeated_here() -> None:
    game = Game(models=("a", "b"))
    game.ask(game.step().asks)
    for one in game.state.verdicts:
        game.end(one, CallEnd(None, "server_error"))
    last = game.step()
    assert (last.state, last.asks) == ("settled", ())
    assert {said for _, said in last.heard} == {"unanswered"}


def test_a_spent_budget_stops_the_prompt() -> None:
    game = Game()
    game.ask(game.step().asks)
    for one in game.state.verdicts:
        game.end(one, CallEnd(None, "budget_exceeded"))
    last = game.step()
    assert (last.state, last.asks) == ("stopped", ())


def test_what_an_earlier_run_has_judged_is_not_judged_again() -> None:
    game = Game()
    game.play()
    earlier = tuple(replace(v, mine=False) for v in game.state.verdicts)
    game.state = replace(game.state, verdicts=earlier)
    assert game.step().state == "settled"
    assert game.step().asks == ()


def test_a_later_run_asks_for_what_an_earlier_one_failed_to_bring() -> None:
    game = Game(models=("a", "b"))
    game.play()
    lost = replace(game.state.verdicts[0], said="unanswered")
    earlier = tuple(replace(v, mine=False) for v in (lost, *game.state.verdicts[1:]))
    game.state = replace(game.state, verdicts=earlier)
    assert game.step().asks == (JudgeCall(lost.judge, lost.first, lost.second),)


def test_a_new_judge_is_asked_although_others_have_judged() -> None:
    game = Game()
    game.play()
    earlier = tuple(replace(v, mine=False) for v in game.state.verdicts)
    game.state, game.rules = replace(game.state, verdicts=earlier), replace(RULES, judges=("j1", "j3"))
    assert {ask.judge for ask in game.step().asks} == {"j3"}


def test_strength_is_what_was_won_drawn_to_a_half_where_little_is_known() -> None:
    tallies = [
        VerdictCount("coding", "a", "b", Verdict.FIRST, 40),
        VerdictCount("coding", "b", "a", Verdict.SECOND, 40),
        VerdictCount("other", "a", "b", Verdict.SECOND, 20),
        VerdictCount("other", "a", "b", Verdict.NONE, 20),
    ]
    strengths = WinRates(tallies)
    coding, unknown = strengths.expected_for("abc", "coding"), strengths.expected_for("abc", "poems")
    assert coding["a"] > 0.9 > unknown["a"] > 0.5 > unknown["b"] > coding["b"]
    assert coding["c"] == unknown["c"] == 0.5
    assert strengths.expected_for("ab", "other")["b"] > 0.7
