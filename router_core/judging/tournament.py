"""Adaptive choice of the pairs to judge: a king-of-the-hill tournament for each prompt.

m answers make m(m-1)/2 pairs, most of which do not matter for the question which answer is best. One model,
the king, meets the others one after the other, those of similar expected strength first. A model that beats
the king takes its place. The tournament ends with a Condorcet winner, a model that has met all others and
lost to none: after m-1 pairs if the first king is that model. Without a Condorcet winner it ends when all
pairs were judged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from router_core.judging.verdicts import Pair, pair_of


def all_pairs(models: Iterable[str]) -> list[Pair]:
    """Return every pair of these models, in alphabetical order."""
    return list(combinations(sorted(set(models)), 2))


def next_pair(
    models: Sequence[str],
    pair_scores: Mapping[Pair, float],
    *,
    win_rates: Mapping[str, float] | None = None,
    salt: str = "",
) -> Pair | None:
    """Return the pair to judge next on one prompt, or None when the tournament has ended.

    Args:
        models: The models whose answers are compared.
        pair_scores: The score of `pair[0]`, 0 to 1, of each pair judged so far; 0.5 where no judge gave a
            valid verdict.
        win_rates: Each model's expected score, 0 to 1, from verdicts on other prompts; 0.5 where missing.
        salt: The prompt's name. It orders models of equal expected score, so that not the same model begins
            on every prompt.
    """
    expected = dict(win_rates or {})
    order = sorted(models, key=lambda model: (-expected.get(model, 0.5), _salted_hash(salt, model)))
    for king in _possible_kings(order, pair_scores):
        unmet = [model for model in order if model != king and pair_of(king, model) not in pair_scores]
        if unmet:
            strength = expected.get(king, 0.5)
            return pair_of(king, min(unmet, key=lambda model: abs(expected.get(model, 0.5) - strength)))
    return None


def condorcet_winner(models: Sequence[str], pair_scores: Mapping[Pair, float]) -> str | None:
    """Return the model that was judged against all others and lost to none, or None.

    Of several, which have tied with each other, the first in alphabetical order is returned.
    """
    for model in sorted(models):
        scores = [score_against(model, other, pair_scores) for other in models if other != model]
        if all(score is not None and score >= 0.5 for score in scores):
            return model
    return None


def score_against(model: str, other: str, pair_scores: Mapping[Pair, float]) -> float | None:
    """Return the score of `model` against `other`, 0 to 1; None where the pair was not judged."""
    pair = pair_of(model, other)
    score = pair_scores.get(pair)
    return score if score is None or pair[0] == model else 1.0 - score


def _possible_kings(order: Sequence[str], pair_scores: Mapping[Pair, float]) -> list[str]:
    """Return the models that may be king, in the order of preference.

    These are the unbeaten models, those with the most judged pairs first; all models if every one has lost;
    none once there is a Condorcet winner.
    """
    if condorcet_winner(order, pair_scores) is not None:
        return []
    unbeaten = [model for model in order if not _has_lost(model, order, pair_scores)]
    judged = {model: sum(pair_of(model, other) in pair_scores for other in order) for model in unbeaten}
    return sorted(unbeaten, key=lambda model: -judged[model]) or list(order)


def _has_lost(model: str, others: Sequence[str], pair_scores: Mapping[Pair, float]) -> bool:
    scores = (score_against(model, other, pair_scores) for other in others if other != model)
    return any(score is not None and score < 0.5 for score in scores)


def _salted_hash(salt: str, model: str) -> bytes:
    return hashlib.blake2b(f"{salt}\0{model}".encode(), digest_size=8).digest()
