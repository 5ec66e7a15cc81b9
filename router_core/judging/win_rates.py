"""How strong each model is expected to be on a prompt, from verdicts on other prompts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from router_core.judging.verdicts import Verdict

#: so many comparisons at the level above are taken to have been seen before
_PSEUDO_COUNT = 4.0
_SCORE_OF_FIRST = {Verdict.FIRST: 1.0, Verdict.TIE: 0.5, Verdict.SECOND: 0.0}


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """How often judges said this of two models' answers in this order, in one category."""

    category: str | None
    first: str
    second: str
    verdict: Verdict
    count: int


class WinRates:
    """Each model's share of what could be won, by category; drawn to its share overall, that to a half."""

    def __init__(self, tallies: Iterable[VerdictCount] = ()) -> None:
        self._won: defaultdict[tuple[str | None, str], float] = defaultdict(float)
        self._of: defaultdict[tuple[str | None, str], float] = defaultdict(float)
        self._overall_won: defaultdict[str, float] = defaultdict(float)
        self._overall_of: defaultdict[str, float] = defaultdict(float)
        for one in tallies:
            gets = _SCORE_OF_FIRST.get(one.verdict)
            if gets is not None:
                self._add(one.category, one.first, gets * one.count, one.count)
                self._add(one.category, one.second, (1 - gets) * one.count, one.count)

    def expected_for(self, models: Iterable[str], category: str | None) -> Mapping[str, float]:
        """Return the strengths of these models in a category, 0 to 1."""
        return {model: self._in(category, model) for model in models}

    def _in(self, category: str | None, model: str) -> float:
        overall = (self._overall_won[model] + _PSEUDO_COUNT * 0.5) / (self._overall_of[model] + _PSEUDO_COUNT)
        key = category, model
        return (self._won[key] + _PSEUDO_COUNT * overall) / (self._of[key] + _PSEUDO_COUNT)

    def _add(self, category: str | None, model: str, won: float, of: float) -> None:
        self._won[category, model] += won
        self._of[category, model] += of
        self._overall_won[model] += won
        self._overall_of[model] += of
