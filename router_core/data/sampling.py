"""Choosing the prompts that all models answer: a share of each category, near-duplicates thinned out.

A prompt's turn is a hash of its text, so the same seed chooses the same prompts, whatever order they come in,
and equal prompts have the same turn. Memory holds twice the share, not the batch; up to ten times as much of
prompts in doubt, which come sooner.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from router_core.data.splits import prompt_hash

T = TypeVar("T")

#: texts whose shingles overlap (Jaccard) by this much are near-duplicates
NEAR_DUPLICATE_JACCARD = 0.8
_PERMUTATIONS = 64
_SHINGLE = 5
#: so many shingles tell enough of a long text
_MOST_CHARACTERS = 20_000
#: a prompt in full doubt comes so many times as soon as one without
_UNCERTAINTY_BOOST = 10.0
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Candidate(Generic[T]):
    """A prompt that may be chosen, what its owner knows it by, and how unsure its router is, 0 to 1."""

    prompt: str
    category: str | None
    item: T
    uncertainty: float = 0.0


class Sampler(Generic[T]):
    """Takes in prompts one by one and then chooses a share of each category, at least one of each."""

    def __init__(self, share: float, *, seed: int = 0, reserve: float = 2.0) -> None:
        """share: of each category, 0 to 1. reserve: how many times as many are kept for thinning.

        Raises ValueError for a share that is none.
        """
        if not 0 < share <= 1:
            raise ValueError("the share must be above 0 and at most 1")
        self._share, self._seed, self._reserve = share, seed, reserve
        self._seen: Counter[str | None] = Counter()
        self._kept: defaultdict[str | None, list[tuple[float, Candidate[T]]]] = defaultdict(list)

    def add(self, candidate: Candidate[T]) -> None:
        """Consider a prompt."""
        self._seen[candidate.category] += 1
        hash_rank = int(prompt_hash(candidate.prompt, salt=f"sample {self._seed}")[:13], 16) / 16**13
        # A prompt in doubt draws from a shorter interval: a better chance, but no certainty, so that the
        # sample still tells of all prompts.
        hash_rank *= 1.0 - (1.0 - 1.0 / _UNCERTAINTY_BOOST) * candidate.uncertainty
        kept = self._kept[candidate.category]
        # The first few of every category are kept whatever their turn: a rare one must not come out empty.
        if hash_rank < self._share * self._reserve or self._seen[candidate.category] <= 20:
            kept.append((hash_rank, candidate))

    def chosen(self) -> Iterator[Candidate[T]]:
        """Yield the prompts in the sample: category by category, each by turn, no two of them near-duplicates."""
        thinned = NearDuplicates()
        for category in sorted(self._kept, key=str):
            wanted = max(1, round(self._share * self._seen[category]))
            for _, candidate in sorted(self._kept[category], key=lambda kept: kept[0]):
                if wanted and thinned.add(candidate.prompt):
                    wanted -= 1
                    yield candidate


class NearDuplicates:
    """Remembers texts by MinHash and finds those that are nearly one of them (Broder 1997)."""

    def __init__(self, threshold: float = NEAR_DUPLICATE_JACCARD) -> None:
        from datasketch import MinHashLSH

        self._index = MinHashLSH(threshold=threshold, num_perm=_PERMUTATIONS)
        self._texts = 0

    def add(self, text: str) -> bool:
        """Remember the text; False, and nothing is remembered, where one like it was there before."""
        from datasketch import MinHash

        found = MinHash(num_perm=_PERMUTATIONS, seed=1)
        found.update_batch([shingle.encode("utf-8", "surrogatepass") for shingle in shingles(text)])
        if self._index.query(found):
            return False
        self._index.insert(self._texts, found)
        self._texts += 1
        return True


def shingles(text: str) -> set[str]:
    """Return the pieces of five characters that a text consists of, case and blanks levelled."""
    levelled = _BLANKS.sub(" ", text[:_MOST_CHARACTERS].lower()).strip()
    return {levelled[at : at + _SHINGLE] for at in range(max(1, len(levelled) - _SHINGLE + 1))}
