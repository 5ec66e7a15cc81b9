"""The next step for a judged prompt, computed from its verdicts so far, without side effects."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from router_core.judging.reply import parse_verdict
from router_core.judging.tournament import all_pairs, next_pair
from router_core.judging.verdicts import Judgement, Pair, Verdict, pair_of
from router_core.judging.win_rates import WinRates
from tasks.stages.judging.texts import answer_of
from tasks.store.learning.labels import UNANSWERED
from tasks.store.learning.values import STOPPED_BY, JudgeCall, JudgeStep, PromptState, StoredVerdict

_USABLE = (Verdict.FIRST, Verdict.SECOND, Verdict.TIE)


@dataclass(frozen=True, slots=True)
class JudgeRules:
    """The rules of a judge run.

    Attributes:
        judges: The models that judge.
        repeats: How often a call is repeated after an invalid reply.
        every_pair: Whether every pair is judged, even once the winner is known.
    """

    judges: tuple[str, ...]
    repeats: int
    every_pair: bool


def next_step(state: PromptState, rules: JudgeRules, win_rates: WinRates) -> JudgeStep:
    """Return the next calls for one prompt, or its final state.

    A prompt is settled when its winner is known or all its pairs are judged, and stopped when the budget or a
    cancellation ended one of its calls.

    Args:
        state: The prompt's answers and all verdicts on them.
        rules: The rules of the run.
        win_rates: The win rates of the models in this run, which order the pairs.
    """
    verdicts = _PromptVerdicts(state, rules)
    stopped = any(one.end and one.end.error_code in STOPPED_BY for one in state.verdicts if one.of_this_run)
    calls = [] if stopped else verdicts.repeats()
    values = verdicts.values()
    if not stopped and not verdicts.has_calls_in_flight and not calls:
        calls, values = _next_calls(state, rules, win_rates, verdicts, values)
    is_final = not calls and not verdicts.has_calls_in_flight
    final_state = "stopped" if stopped else "settled"
    return JudgeStep(
        state.prompt_id,
        verdicts.parsed_replies,
        tuple(calls),
        final_state if is_final else "open",
        verdicts.answered_pairs if stopped else len(values),
    )


def missing_calls(state: PromptState, rules: JudgeRules) -> dict[Pair, list[JudgeCall]]:
    """Return the calls that each pair of the answers still needs if all pairs are judged."""
    return _PromptVerdicts(state, rules).all_missing()


def _next_calls(
    state: PromptState,
    rules: JudgeRules,
    win_rates: WinRates,
    verdicts: _PromptVerdicts,
    values: dict[Pair, float],
) -> tuple[list[JudgeCall], dict[Pair, float]]:
    """Return the calls for the next pair, or for all pairs, and the values of the judged pairs.

    Verdicts of earlier runs are used, so that their calls are not repeated.
    """
    if rules.every_pair:
        missing = verdicts.all_missing()
        judged = {pair: verdicts.value(pair) for pair, calls in missing.items() if not calls}
        return [call for calls in missing.values() for call in calls], judged
    expected = win_rates.expected_for(state.answers, state.category)
    models, salt = sorted(state.answers), str(state.prompt_id)
    while (pair := next_pair(models, values, win_rates=expected, salt=salt)) is not None:
        if calls := verdicts.missing(pair):
            return calls, values
        values = {**values, pair: verdicts.value(pair)}
    return [], values


#: (judge, model shown first, model shown second)
_Key = tuple[str, str, str]


class _PromptVerdicts:
    """The verdicts on one prompt so far, of this run and of earlier ones."""

    def __init__(self, state: PromptState, rules: JudgeRules) -> None:
        self._rules = rules
        self._models = sorted(state.answers)
        own = [one for one in state.verdicts if one.of_this_run and one.judge in rules.judges]
        #: (verdict id, verdict) of the calls that ended since the last step
        self.parsed_replies = tuple(
            (one.id, _parsed_reply(one)) for one in own if one.verdict is None and one.end is not None
        )
        self._in_flight = {pair_of(one.first, one.second) for one in own if not (one.verdict or one.end)}
        self._latest = _latest_verdicts(state.verdicts, dict(self.parsed_replies))
        self._attempts = {_key(one): one.number for one in sorted(own, key=lambda one: one.number)}
        self._called_pairs = sorted({pair_of(one.first, one.second) for one in own})

    @property
    def has_calls_in_flight(self) -> bool:
        """Whether calls of this run are in flight."""
        return bool(self._in_flight)

    def repeats(self) -> list[JudgeCall]:
        """Return the calls to repeat because of an invalid reply."""
        return [
            JudgeCall(*key, attempts + 1)
            for key, attempts in self._attempts.items()
            if self._latest.get(key) == Verdict.NONE and attempts <= self._rules.repeats
        ]

    def missing(self, pair: Pair) -> list[JudgeCall]:
        """Return the calls that this pair still needs: each judge in both orders."""
        keys = [(judge, *order) for judge in self._rules.judges for order in (pair, pair[::-1])]
        return [
            JudgeCall(*key)
            for key in keys
            if self._latest.get(key) not in _USABLE and key not in self._attempts
        ]

    def all_missing(self) -> dict[Pair, list[JudgeCall]]:
        """Return the calls that each pair of all answers still needs."""
        return {pair: self.missing(pair) for pair in all_pairs(self._models)}

    def values(self) -> dict[Pair, float]:
        """Return the values of the pairs of this run whose calls have all ended."""
        ended = [pair for pair in self._called_pairs if pair not in self._in_flight]
        return {pair: self.value(pair) for pair in ended if not self.missing(pair)}

    @property
    def answered_pairs(self) -> int:
        """The number of pairs of this run on which every judge has given a verdict."""
        return sum(
            all(self._value_of(judge, pair) is not None for judge in self._rules.judges)
            for pair in self._called_pairs
        )

    def value(self, pair: Pair) -> float:
        """Return the mean value of `pair[0]` over the judges, 0 to 1; 0.5 without a usable verdict."""
        values = [value for judge in self._rules.judges if (value := self._value_of(judge, pair)) is not None]
        return sum(values) / len(values) if values else 0.5

    def _value_of(self, judge: str, pair: Pair) -> float | None:
        forward, backward = (self._latest.get((judge, *order)) for order in (pair, pair[::-1]))
        if forward not in _USABLE or backward not in _USABLE:
            return None
        return Judgement("", judge, pair, Verdict(forward), Verdict(backward)).score


def _key(one: StoredVerdict) -> _Key:
    return one.judge, one.first, one.second


def _latest_verdicts(verdicts: Sequence[StoredVerdict], parsed_replies: Mapping[int, str]) -> dict[_Key, str]:
    """Return the latest usable verdict of each key, or else its latest unusable one."""
    latest: dict[_Key, str] = {}
    for one in sorted(verdicts, key=lambda one: (one.of_this_run, one.number)):
        verdict = parsed_replies.get(one.id, one.verdict)
        if verdict is not None and (verdict in _USABLE or latest.get(_key(one)) not in _USABLE):
            latest[_key(one)] = verdict
    return latest


def _parsed_reply(one: StoredVerdict) -> str:
    assert one.end is not None
    if one.end.reply is None:
        return UNANSWERED
    return parse_verdict(answer_of(json.loads(one.end.reply)))
