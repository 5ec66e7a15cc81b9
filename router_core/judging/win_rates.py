"""Expected win rates of models in a category, from the verdicts on other prompts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from router_core.judging.verdicts import Verdict

#: Comparisons at the prior win rate that are added to the observed ones (additive smoothing).
_PSEUDO_COUNT = 4.0
_SCORE_OF_FIRST = {Verdict.FIRST: 1.0, Verdict.TIE: 0.5, Verdict.SECOND: 0.0}


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """How often judges gave this verdict on two models' answers in this order, in one category."""

    category: str | None
    first: str
    second: str
    verdict: Verdict
    count: int


class WinRates:
    """Smoothed win rates of models by category; a tie counts half a win.

    A model's rate in a category is shrunk towards its rate over all categories, and that one towards 0.5, by
    `_PSEUDO_COUNT` comparisons each.
    """

    def __init__(self, counts: Iterable[VerdictCount] = ()) -> None:
        self._wins: defaultdict[tuple[str | None, str], float] = defaultdict(float)
        self._comparisons: defaultdict[tuple[str | None, str], float] = defaultdict(float)
        self._overall_wins: defaultdict[str, float] = defaultdict(float)
        self._overall_comparisons: defaultdict[str, float] = defaultdict(float)
        for one in counts:
            score = _SCORE_OF_FIRST.get(one.verdict)
            if score is not None:
                self._add(one.category, one.first, score * one.count, one.count)
                self._add(one.category, one.second, (1 - score) * one.count, one.count)

    def expected_for(self, models: Iterable[str], category: str | None) -> Mapping[str, float]:
        """Return the expected win rate, 0 to 1, of each of these models in a category."""
        return {model: self._expected(category, model) for model in models}

    def _expected(self, category: str | None, model: str) -> float:
        overall = _shrunk(self._overall_wins[model], self._overall_comparisons[model], prior=0.5)
        return _shrunk(self._wins[category, model], self._comparisons[category, model], prior=overall)

    def _add(self, category: str | None, model: str, wins: float, comparisons: float) -> None:
        self._wins[category, model] += wins
        self._comparisons[category, model] += comparisons
        self._overall_wins[model] += wins
        self._overall_comparisons[model] += comparisons


def _shrunk(wins: float, comparisons: float, *, prior: float) -> float:
    return (wins + _PSEUDO_COUNT * prior) / (comparisons + _PSEUDO_COUNT)
