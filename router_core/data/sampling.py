"""Stratified sampling: a share of the prompts of each category, without near-duplicates.

Each prompt has a rank, a hash of its text and of the seed, and the prompts with the lowest ranks in their
category are chosen (bottom-k sampling). So the same seed chooses the same prompts in whatever order they
come, and equal prompts have equal ranks. The sampler keeps about twice the sample in memory, not the whole
batch; if the prompts are uncertain, which lowers their ranks, up to ten times as much.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from router_core.data.prompt_hash import prompt_hash

T = TypeVar("T")

#: Texts are near-duplicates if the Jaccard similarity of their shingles is at least this.
NEAR_DUPLICATE_JACCARD = 0.8
_PERMUTATIONS = 64
_SHINGLE = 5
#: The characters of a text that are compared; more would cost time and change little.
_MAX_CHARACTERS = 20_000
#: The rank of a prompt of uncertainty 1 is divided by this.
_UNCERTAINTY_BOOST = 10.0
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Candidate(Generic[T]):
    """A prompt that may be chosen.

    Attributes:
        prompt: The text.
        category: Its category, None where it has none.
        item: The caller's own reference to the prompt.
        uncertainty: How uncertain the router is of it, from 0 to 1 (`margin_uncertainty`).
    """

    prompt: str
    category: str | None
    item: T
    uncertainty: float = 0.0


class Sampler(Generic[T]):
    """A sample in the making: takes in prompts one by one, then chooses a share of each category."""

    def __init__(self, share: float, *, seed: int = 0, reserve: float = 2.0) -> None:
        """Start an empty sample.

        Args:
            share: The share of each category to choose, above 0 and at most 1; at least one prompt of each.
            seed: Another seed chooses other prompts.
            reserve: How many times the share to keep, to replace the near-duplicates that are left out.

        Raises:
            ValueError: The share is out of range.
        """
        if not 0 < share <= 1:
            raise ValueError("the share must be above 0 and at most 1")
        self._share, self._seed, self._reserve = share, seed, reserve
        self._seen: Counter[str | None] = Counter()
        self._kept: defaultdict[str | None, list[tuple[float, Candidate[T]]]] = defaultdict(list)

    def add(self, candidate: Candidate[T]) -> None:
        """Take in a prompt."""
        self._seen[candidate.category] += 1
        hash_rank = int(prompt_hash(candidate.prompt, salt=f"sample {self._seed}")[:13], 16) / 16**13
        # An uncertain prompt draws its rank from a shorter interval. It is chosen more often, but not always,
        # so that the sample still covers all prompts.
        hash_rank *= 1.0 - (1.0 - 1.0 / _UNCERTAINTY_BOOST) * candidate.uncertainty
        kept = self._kept[candidate.category]
        # The first few of each category are kept whatever their rank: a rare category must not be left empty.
        if hash_rank < self._share * self._reserve or self._seen[candidate.category] <= 20:
            kept.append((hash_rank, candidate))

    def chosen(self) -> Iterator[Candidate[T]]:
        """Yield the chosen prompts, by category and then by rank; no two of them are near-duplicates."""
        distinct = NearDuplicates()
        for category in sorted(self._kept, key=str):
            remaining = max(1, round(self._share * self._seen[category]))
            for _, candidate in sorted(self._kept[category], key=lambda kept: kept[0]):
                if remaining and distinct.add(candidate.prompt):
                    remaining -= 1
                    yield candidate


class NearDuplicates:
    """A set of texts that finds near-duplicates by MinHash (Broder 1997) with locality-sensitive hashing."""

    def __init__(self, threshold: float = NEAR_DUPLICATE_JACCARD) -> None:
        from datasketch import MinHashLSH

        self._index = MinHashLSH(threshold=threshold, num_perm=_PERMUTATIONS)
        self._texts = 0

    def add(self, text: str) -> bool:
        """Add the text and return True; where a near-duplicate is in the set already, only return False."""
        from datasketch import MinHash

        signature = MinHash(num_perm=_PERMUTATIONS, seed=1)
        signature.update_batch([shingle.encode("utf-8", "surrogatepass") for shingle in shingles(text)])
        if self._index.query(signature):
            return False
        self._index.insert(self._texts, signature)
        self._texts += 1
        return True


def shingles(text: str) -> set[str]:
    """Return the overlapping pieces of five characters of a text, in lower case with single blanks."""
    normalised = _BLANKS.sub(" ", text[:_MAX_CHARACTERS].lower()).strip()
    return {normalised[start : start + _SHINGLE] for start in range(max(1, len(normalised) - _SHINGLE + 1))}
