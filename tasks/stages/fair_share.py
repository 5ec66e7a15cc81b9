"""Fair sharing among batches: whose turn it is, at the queue of a stage and at that of a model."""

from __future__ import annotations

from collections.abc import Mapping

#: batches whose last turns are remembered; beyond it, those that are due anyway are forgotten
MAX_REMEMBERED = 1000


class FairShare:
    """Start-time fair queueing: each batch that has work is served in proportion to its weight.

    A batch's turn comes when its *start tag* is the lowest: the work it was served so far, divided by its
    weight. One that had nothing to do starts where the others are, so that it is served at once, and saves
    nothing up.

    Source: Goyal, Vin and Cheng, Start-time Fair Queueing, SIGCOMM 1996.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._tags: dict[int, float] = {}

    def turn(self, weights: Mapping[int, float], *, own: int | None = None) -> int:
        """Return the batch whose turn it is.

        Args:
            weights: The batches that have work, by their numbers, and their weights; not empty.
            own: The batch that is taken among equals; else the oldest.
        """
        return min(weights, key=lambda batch_no: (self._start(batch_no), batch_no != own, batch_no))

    def serve(self, batch_no: int, work: float, weight: float) -> None:
        """Count work that a batch was served; its next turn comes the later, the more that was."""
        start = self._start(batch_no)
        self._now = max(self._now, start)
        self._tags[batch_no] = start + work / weight
        if len(self._tags) > MAX_REMEMBERED:
            self._tags = {no: tag for no, tag in self._tags.items() if tag > self._now}

    def _start(self, batch_no: int) -> float:
        return max(self._now, self._tags.get(batch_no, 0.0))
