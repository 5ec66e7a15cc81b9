"""Frozen values of judging: what a judge said, and what it says of a pair once both orders are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

#: two different models, the lesser name first
Pair = tuple[str, str]

#: what the judgements of people are filed under
HUMAN = "human"


class Verdict(StrEnum):
    """What a judge said of two answers, by their place in the prompt; NONE: nothing that can be used."""

    FIRST = "first"
    SECOND = "second"
    TIE = "tie"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One judge's verdicts on the answers of two models to one prompt, in both orders.

    forward: `pair[0]` was shown first; backward: `pair[1]` was. None: not asked (yet).
    longer: 1 where the answer of `pair[0]` is the longer one, -1 where the other is, 0 where they are alike.
    """

    prompt: int | str
    judge: str
    pair: Pair
    forward: Verdict | None
    backward: Verdict | None
    longer: int = 0

    @property
    def score(self) -> float | None:
        """What `pair[0]` gets: 1 for a win in both orders, 0 for a loss in both, else 0.5; None: unknown.

        A verdict that changes with the order is a tie. One order alone says nothing: it may be the order's.
        """
        if self.forward in (None, Verdict.NONE) or self.backward in (None, Verdict.NONE):
            return None
        return _VALUES.get((self.forward, self.backward), 0.5)

    @property
    def flipped(self) -> bool | None:
        """Whether both orders named a winner and not the same one; None where they did not both name one."""
        decided = (Verdict.FIRST, Verdict.SECOND)
        if self.forward not in decided or self.backward not in decided:
            return None
        return self.forward is self.backward


_VALUES: Mapping[tuple[Verdict | None, Verdict | None], float] = {
    (Verdict.FIRST, Verdict.SECOND): 1.0,
    (Verdict.SECOND, Verdict.FIRST): 0.0,
}


def pair_of(one: str, other: str) -> Pair:
    """Return the pair of two models."""
    return (one, other) if one < other else (other, one)
