"""The batches on which the shift guard is tried: of familiar prompts, of kinds left out, and mixed ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from router_core.predictors.novelty import NoveltyMeasure
from router_core.predictors.scored_prompts import ScoredPrompts

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

#: The measure of novelty is trusted where, in at least so many of the pairs of a familiar prompt and one of a
#: kind left out, from mixed batches, the latter is newer. There neighbours in the batch are asked, which
#: agree in error elsewhere, and less strict settings are tried.
LEAST_AUC = 0.85
#: The number of prompts in a batch. The route stage sees more at once, unless a batch is small.
BATCH_PROMPTS = 256


@dataclass(frozen=True)
class ShiftBatches:
    """The same prompts, scored as familiar and as left out, with the novelty they have in batches of a sort.

    Attributes:
        familiar: Familiar prompts in batches of such.
        left_out: Prompts of kinds that were left out, in batches of the same kinds.
        mixed_familiar: Familiar prompts in batches of which the other half is of kinds that were left out.
        mixed_left_out: That other half.
    """

    familiar: ScoredPrompts
    left_out: ScoredPrompts
    mixed_familiar: ScoredPrompts
    mixed_left_out: ScoredPrompts

    @property
    def auc(self) -> float:
        """The share of pairs in which a prompt of a kind left out is newer than a familiar one, if mixed."""
        familiar, left_out = self.mixed_familiar.novelty, self.mixed_left_out.novelty
        assert familiar is not None
        assert left_out is not None
        ordered = np.sort(familiar)
        below = ordered.searchsorted(left_out, "left") + ordered.searchsorted(left_out, "right")
        return float(below.mean() / (2 * len(ordered)))

    @property
    def is_trusted(self) -> bool:
        """Whether the measure tells kinds left out from familiar prompts."""
        return self.auc >= LEAST_AUC

    @classmethod
    def of(
        cls,
        measure: NoveltyMeasure,
        familiar: tuple[ScoredPrompts, Floats],
        left_out: tuple[ScoredPrompts, Floats],
        fold: Rows,
    ) -> ShiftBatches:
        """Return the batches of prompts with their signals [n, 4]; `fold` [n] tells the kinds apart.

        The rows must be in random order.
        """
        representation = left_out[0].representation
        every, by_kind = np.arange(len(fold)), np.argsort(fold, kind="stable")
        of_others = rows_of_others(fold, by_kind)
        ends = np.flatnonzero(np.diff(fold[by_kind])) + 1
        mixed = [np.zeros(len(fold)), np.zeros(len(fold))]
        for rows, others in zip(_parts(of_others, ends, 2), _parts(by_kind, ends, 2), strict=True):
            signals = np.vstack([familiar[1][rows], left_out[1][others]])
            both = measure.of_signals(signals, representation[np.append(rows, others)])
            mixed[0][rows], mixed[1][others] = both[: len(rows)], both[len(rows) :]
        return cls(
            _in_batches(measure, *familiar, _parts(every, ends[:0], 1)),
            _in_batches(measure, *left_out, _parts(by_kind, ends, 1)),
            replace(familiar[0], novelty=mixed[0]),
            replace(left_out[0], novelty=mixed[1]),
        )


def _in_batches(
    measure: NoveltyMeasure, scored: ScoredPrompts, signals: Floats, batches: list[Rows]
) -> ScoredPrompts:
    novelty = np.zeros(len(signals))
    for rows in batches:
        novelty[rows] = measure.of_signals(signals[rows], scored.representation[rows])
    return replace(scored, novelty=novelty)


def rows_of_others(fold: Rows, by_kind: Rows) -> Rows:
    """Return all rows in random order, where possible none at the place of a row `by_kind` of its own fold.

    Familiar prompts of the very kinds that are left out would tell that these are familiar.
    """
    rows = np.arange(len(fold))
    same = np.flatnonzero(fold == fold[by_kind])
    rows[same] = np.roll(rows[same], np.bincount(fold[same]).max(initial=0))
    return rows


def _parts(rows: Rows, ends: Rows, share: int) -> list[Rows]:
    """Return the rows cut at some places, and into parts of at most a batch divided by `share`."""
    size = BATCH_PROMPTS // share
    pieces = np.split(rows, ends)
    return [piece[start : start + size] for piece in pieces for start in range(0, len(piece), size)]
