"""Novelty sampling: prompts far from the labelled ones and from each other, and not outliers only.

Prompts are chosen one after the other. The chance of each grows with its novelty and with its squared
distance to the nearest prompt that is labelled or chosen already (the seeding of k-means++, Arthur and
Vassilvitskii 2007). So a far cluster gets prompts in proportion to its size, but fewer with each one that it
has got. The draws are by a hash of the text and of the seed: the same prompts are chosen in whatever order
they come.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from router_core.data.prompt_hash import prompt_hash
from router_core.data.sampling import Candidate, NearDuplicates

T = TypeVar("T")
Array = NDArray[np.float32]
Floats = NDArray[np.float64]

#: The fewest prompts that are kept to choose from, and how many times the sample at least.
_KEPT, _RESERVE = 20_000, 2.0
#: Prompts are chosen in at most this many rounds; those of one round do not see each other.
_ROUNDS = 256
_SMALLEST = 1e-12


@dataclass(frozen=True, slots=True)
class Position:
    """Where a prompt is among the labelled ones.

    Attributes:
        inputs: Its inputs of the nearest neighbours, float32 [k].
        distance: Its squared distance to the nearest labelled prompts.
        novelty: Its novelty, 0 to 1; 1 where the router does not measure it, so that the distance decides.
    """

    inputs: Array
    distance: float
    novelty: float


class NoveltySampler(Generic[T]):
    """A sample in the making: takes in prompts one by one, then chooses a share of all of them."""

    def __init__(self, share: float, *, seed: int = 0) -> None:
        """Start an empty sample.

        Args:
            share: The share of the prompts to choose, above 0 and at most 1; at least one prompt.
            seed: Another seed chooses other prompts.

        Raises:
            ValueError: The share is out of range.
        """
        if not 0 < share <= 1:
            raise ValueError("the share must be above 0 and at most 1")
        self._share, self._seed = share, seed
        self._seen = 0
        self._kept: list[tuple[float, float, Candidate[T], Position]] = []

    def add(self, candidate: Candidate[T], position: Position) -> None:
        """Take in a prompt."""
        self._seen += 1
        noise = self._noise(candidate.prompt)
        weight = log(max(position.novelty, _SMALLEST))
        rank = weight + log(max(position.distance, _SMALLEST)) + noise
        self._kept.append((rank, weight + noise, candidate, position))
        if len(self._kept) > 2 * self._limit():
            self._prune()

    def chosen(self) -> Iterator[Candidate[T]]:
        """Yield the chosen prompts, the most wanted first; no two of them are near-duplicates."""
        self._prune()
        if not self._kept:
            return
        wanted, distinct = max(1, round(self._share * self._seen)), NearDuplicates()
        offsets = np.array([one[1] for one in self._kept])
        inputs = np.stack([one[3].inputs for one in self._kept]).astype(np.float32)
        distances = np.array([one[3].distance for one in self._kept])
        for row in _by_distance(inputs, distances, offsets, step=-(-wanted // _ROUNDS)):
            candidate = self._kept[row][2]
            if distinct.add(candidate.prompt):
                wanted -= 1
                yield candidate
            if not wanted:
                return

    def _noise(self, prompt: str) -> float:
        """Return a Gumbel-distributed number: the highest of log(weight) + noise is a weighted draw."""
        hashed = int(prompt_hash(prompt, salt=f"sample {self._seed}")[:13], 16)
        return -log(-log((hashed + 0.5) / 16**13))

    def _limit(self) -> int:
        return max(_KEPT, round(_RESERVE * self._share * self._seen))

    def _prune(self) -> None:
        """Keep the prompts that are wanted most, by their distances to the labelled prompts alone."""
        self._kept.sort(key=lambda one: (-one[0], one[2].prompt))
        del self._kept[self._limit() :]


def _by_distance(inputs: Array, distances: Floats, offsets: Floats, *, step: int) -> Iterator[int]:
    """Yield all rows, the most wanted first.

    Args:
        inputs: The prompts' positions, [n, k].
        distances: Their squared distances to the labelled prompts, [n].
        offsets: What is added to the logarithm of the distance to the nearest labelled or chosen prompt, [n].
        step: The number of prompts that are chosen before distances are brought up to date.
    """
    distances, squares = distances.copy(), (inputs**2).sum(axis=1)
    left = np.ones(len(inputs), dtype=np.bool_)
    while left.any():
        scores = np.where(left, np.log(np.maximum(distances, _SMALLEST)) + offsets, -np.inf)
        rows = np.argsort(-scores, kind="stable")[: min(step, int(left.sum()))]
        left[rows] = False
        yield from rows.tolist()
        to_chosen = squares[:, None] - 2 * inputs @ inputs[rows].T + squares[rows]
        distances = np.minimum(distances, np.maximum(to_chosen, 0.0).min(axis=1))
