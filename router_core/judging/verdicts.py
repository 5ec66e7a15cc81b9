"""Verdicts of judges on two answers, and the score of a pair once it was judged in both orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

#: The names of two different models in alphabetical order.
Pair = tuple[str, str]

#: The judge's name under which all human judgements are filed.
HUMAN = "human"


class Verdict(StrEnum):
    """A judge's verdict on two answers, named by their position in the prompt; NONE for an invalid reply."""

    FIRST = "first"
    SECOND = "second"
    TIE = "tie"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One judge's verdicts on the answers of two models to one prompt, in both orders.

    Attributes:
        prompt: The prompt's id, or its hash where only people have judged it.
        judge: The judge's name; `HUMAN` for all people together.
        pair: The two models.
        forward: The verdict when `pair[0]` was shown first; None while there is none.
        backward: The verdict when `pair[1]` was shown first; None while there is none.
        longer: 1 where the answer of `pair[0]` is the longer one, -1 where that of `pair[1]` is, 0 where
            they are of equal length.
    """

    prompt: int | str
    judge: str
    pair: Pair
    forward: Verdict | None
    backward: Verdict | None
    longer: int = 0

    @property
    def score(self) -> float | None:
        """The score of `pair[0]`: 1 for a win in both orders, 0 for a loss in both, else 0.5.

        None unless both verdicts are valid: a single one may be due to the order alone. Verdicts that change
        with the order count as a tie.
        """
        if self.forward in (None, Verdict.NONE) or self.backward in (None, Verdict.NONE):
            return None
        return _SCORES.get((self.forward, self.backward), 0.5)

    @property
    def flipped(self) -> bool | None:
        """Whether the winner changes with the order; None unless both verdicts name a winner."""
        decided = (Verdict.FIRST, Verdict.SECOND)
        if self.forward not in decided or self.backward not in decided:
            return None
        return self.forward is self.backward


_SCORES: Mapping[tuple[Verdict | None, Verdict | None], float] = {
    (Verdict.FIRST, Verdict.SECOND): 1.0,
    (Verdict.SECOND, Verdict.FIRST): 0.0,
}


def pair_of(one: str, other: str) -> Pair:
    """Return the pair of two models, in alphabetical order."""
    return (one, other) if one < other else (other, one)
