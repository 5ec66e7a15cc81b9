"""Scores on different scales: any scale is right, as long as all models and all rows share it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf

from router_core.data.label_checks.places import Found, count

#: Scores between these may be of a scale from 0 to 1, with a bonus or a malus.
_LOWEST, _HIGHEST = -1.0, 2.0
#: Of scores from 0 to 1, a few beyond are fewer than this share of those within.
_FEW_BEYOND = 0.25
#: Rows that have scores of both kinds are fewer than this share of those whose scores are all within 0 to 1.
_FEW_MIXED = 0.1
#: The fewest scores that tell the scale of a model or a file.
_ENOUGH = 10
#: The range of scores may be so many times that of the scores that a router learnt from.
_MAX_RATIO = 2.0


@dataclass(slots=True)
class Range:
    """The scores of a model or a file: how many, from where to where, and those beyond 0 to 1."""

    count: int = 0
    within: int = 0
    low: float = inf
    high: float = -inf
    beyond: Found | None = None

    def add(self, score: float, place: str) -> None:
        """Take in a score."""
        self.count += 1
        self.low, self.high = min(self.low, score), max(self.high, score)
        self.within += 0 < score <= 1
        if not _LOWEST < score < _HIGHEST:
            self.beyond = count(self.beyond, place)

    @property
    def text(self) -> str:
        """From where to where."""
        return f"{self.low:g} to {self.high:g}"

    @property
    def is_within(self) -> bool:
        """Whether the scores are from 0 to 1 for sure, and not the low ones of a longer scale."""
        return self.count >= _ENOUGH and self.beyond is None and self.low < 1 and self.high > 0


class ScaleCheck:
    """Tells scores from 0 to 1 beside scores on a longer scale: by model, by file and by row."""

    def __init__(self) -> None:
        self.all = Range()
        self._models: dict[str, Range] = {}
        self._files: dict[str, Range] = {}
        self._fractions: Found | None = None
        self._mixed = 0

    def add(self, scores: Mapping[str, float], file: str, place: str) -> None:
        """Take in the scores of a row."""
        of_file = self._files.setdefault(file, Range())
        for model, score in scores.items():
            for one in (self.all, of_file, self._models.setdefault(model, Range())):
                one.add(score, place)
        if any(0 < score < 1 for score in scores.values()):
            if all(0 <= score <= 1 for score in scores.values()):
                self._fractions = count(self._fractions, place)
            else:
                self._mixed += 1

    def warnings(self, score_range: float | None = None) -> Iterator[str]:
        """Yield a sentence for each model, file or kind of rows on a scale of its own.

        Args:
            score_range: The range of the scores that a router learnt from, highest less lowest.
        """
        found = list(self._models_beyond()) or list(self._files_beyond()) or list(self._rows_within())
        yield from found
        if not found and score_range and self._is_other_range(score_range):
            yield (
                f"scores are from {self.all.text}, but those that the router learnt from span"
                f" {score_range:g}: is it another scale?"
            )

    def _models_beyond(self) -> Iterator[str]:
        """Yield the models with scores beyond 0 to 1, if these are few or some models have none."""
        few = self._has_few_beyond
        if few or any(one.is_within for one in self._models.values()):
            for model, one in self._models.items():
                if one.beyond and (few or 2 * one.beyond.count >= one.count):
                    yield (
                        f"model {model!r} has scores from {one.text}, beyond 0 to 1 in {one.beyond.scores};"
                        " others are within: is it another scale?"
                    )

    @property
    def _has_few_beyond(self) -> bool:
        beyond = self.all.beyond
        return beyond is not None and self.all.low < 1 and beyond.count < _FEW_BEYOND * self.all.within

    def _files_beyond(self) -> Iterator[str]:
        if any(one.is_within for one in self._files.values()):
            for file, one in self._files.items():
                if one.beyond:
                    yield (
                        f"{file} has scores from {one.text}, beyond 0 to 1 in {one.beyond.scores};"
                        " another file's are within: is it another scale?"
                    )

    def _rows_within(self) -> Iterator[str]:
        within = self._fractions
        if within and self.all.beyond and self._mixed < _FEW_MIXED * within.count:
            yield (
                f"all scores are within 0 to 1 in {within.rows}, others are from {self.all.text}:"
                " is it another scale?"
            )

    def _is_other_range(self, score_range: float) -> bool:
        ratio = (self.all.high - self.all.low) / score_range
        is_shorter = ratio < 1 / _MAX_RATIO and self.all.count >= _ENOUGH
        return ratio > _MAX_RATIO or is_shorter
