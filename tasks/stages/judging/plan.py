"""What follows for a prompt from the verdicts so far: a pure decision, made anew from the store each time."""

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
from tasks.store.learning.values import STOPPED_BY, JudgeCall, PromptState, Step, StoredVerdict

_USABLE = (Verdict.FIRST, Verdict.SECOND, Verdict.TIE)


@dataclass(frozen=True, slots=True)
class Rules:
    """How a run judges: its judges, how often it repeats an unusable reply, whether it judges every pair."""

    judges: tuple[str, ...]
    repeats: int
    every_pair: bool


def step(state: PromptState, rules: Rules, strengths: WinRates) -> Step:
    """Return the next calls for one prompt, or its end."""
    known = _Known(state, rules)
    stopped = any(one.end and one.end.error_code in STOPPED_BY for one in state.verdicts if one.mine)
    asks = [] if stopped else known.repeats()
    values = known.values()
    if not stopped and not known.waiting and not asks:
        asks, values = _next_asks(state, rules, strengths, known, values)
    end = "stopped" if stopped else "settled"
    done = not asks and not known.waiting
    return Step(state.prompt_id, known.heard, tuple(asks), end if done else "open", len(values))


def _next_asks(
    state: PromptState, rules: Rules, strengths: WinRates, known: _Known, values: dict[Pair, float]
) -> tuple[list[JudgeCall], dict[Pair, float]]:
    """Return the calls of the next pair, or of all pairs; what other runs have judged is not judged again."""
    if rules.every_pair:
        asks = {pair: known.missing(pair) for pair in all_pairs(state.answers)}
        judged = {pair: known.value(pair) for pair, needed in asks.items() if not needed}
        return [ask for needed in asks.values() for ask in needed], judged
    expected = strengths.expected_for(state.answers, state.category)
    models, salt = sorted(state.answers), str(state.prompt_id)
    while (pair := next_pair(models, values, win_rates=expected, salt=salt)) is not None:
        if needed := known.missing(pair):
            return needed, values
        values = {**values, pair: known.value(pair)}
    return [], values


class _Known:
    """What the verdicts on one prompt say by now, in this run and in earlier ones."""

    def __init__(self, state: PromptState, rules: Rules) -> None:
        self._rules = rules
        mine = [one for one in state.verdicts if one.mine and one.judge in rules.judges]
        self.heard = tuple((one.id, _said(one)) for one in mine if one.said is None and one.end is not None)
        self._on_their_way = {pair_of(one.first, one.second) for one in mine if not (one.said or one.end)}
        self._said = _best(state.verdicts, dict(self.heard))
        self._tried = {_key(one): one.number for one in sorted(mine, key=lambda one: one.number)}
        self._asked = sorted({pair_of(one.first, one.second) for one in mine})

    @property
    def waiting(self) -> bool:
        """Whether calls of this run are on their way."""
        return bool(self._on_their_way)

    def repeats(self) -> list[JudgeCall]:
        """Calls to be made again, because a reply could not be used."""
        return [
            JudgeCall(*key, tried + 1)
            for key, tried in self._tried.items()
            if self._said.get(key) == Verdict.NONE and tried <= self._rules.repeats
        ]

    def missing(self, pair: Pair) -> list[JudgeCall]:
        """Return the calls that this pair still needs."""
        keys = [(judge, *order) for judge in self._rules.judges for order in (pair, pair[::-1])]
        return [
            JudgeCall(*key) for key in keys if self._said.get(key) not in _USABLE and key not in self._tried
        ]

    def values(self) -> dict[Pair, float]:
        """Return the pairs of this run whose calls have all ended."""
        ended = [pair for pair in self._asked if pair not in self._on_their_way]
        return {pair: self.value(pair) for pair in ended if not self.missing(pair)}

    def value(self, pair: Pair) -> float:
        """Return the mean of what the judges give `pair[0]`; 0.5 where none said anything usable."""
        found = [value for judge in self._rules.judges if (value := self._judged(judge, pair)) is not None]
        return sum(found) / len(found) if found else 0.5

    def _judged(self, judge: str, pair: Pair) -> float | None:
        forward, backward = (self._said.get((judge, *order)) for order in (pair, pair[::-1]))
        if forward not in _USABLE or backward not in _USABLE:
            return None
        return Judgement("", judge, pair, Verdict(forward), Verdict(backward)).score


_Key = tuple[str, str, str]


def _key(one: StoredVerdict) -> _Key:
    return one.judge, one.first, one.second


def _best(verdicts: Sequence[StoredVerdict], heard: Mapping[int, str]) -> dict[_Key, str]:
    """Return the last thing said by each judge of each order, usable things before others."""
    found: dict[_Key, str] = {}
    for one in sorted(verdicts, key=lambda one: (one.mine, one.number)):
        said = heard.get(one.id, one.said)
        if said is not None and (said in _USABLE or found.get(_key(one)) not in _USABLE):
            found[_key(one)] = said
    return found


def _said(one: StoredVerdict) -> str:
    assert one.end is not None
    if one.end.reply is None:
        return UNANSWERED
    return parse_verdict(answer_of(json.loads(one.end.reply)))
