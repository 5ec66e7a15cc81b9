"""Which pair of answers to judge next, and when a prompt's winner is settled.

Of m answers there are m(m-1)/2 pairs, and most of them do not matter to who is best. One model holds the
hill: it meets the others one by one, the closest first. Whoever beats it takes the hill. The winner is
settled when the holder has met all others and lost to none: m-1 pairs if the right model held the hill from
the start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from router_core.judging.verdicts import Pair, pair_of


def all_pairs(models: Iterable[str]) -> list[Pair]:
    """Return every pair of these models, in order."""
    return list(combinations(sorted(set(models)), 2))


def next_pair(
    models: Sequence[str],
    values: Mapping[Pair, float],
    *,
    win_rates: Mapping[str, float] | None = None,
    salt: str = "",
) -> Pair | None:
    """Return the pair to judge next on one prompt; None once its winner is settled.

    values: what `pair[0]` got in each pair judged so far, 0 to 1 (0.5 where no judge said anything usable).
    strengths: each model's expected score, 0 to 1, from verdicts on other prompts. salt: names the prompt;
    equals are ordered by it, so that no model meets the others first everywhere.
    """
    expected = dict(win_rates or {})
    order = sorted(models, key=lambda model: (-expected.get(model, 0.5), _shuffled(salt, model)))
    for holder in _leaders(order, values):
        unmet = [model for model in order if model != holder and pair_of(holder, model) not in values]
        if unmet:
            level = expected.get(holder, 0.5)
            return pair_of(holder, min(unmet, key=lambda model: abs(expected.get(model, 0.5) - level)))
    return None


def condorcet_winner(models: Sequence[str], values: Mapping[Pair, float]) -> str | None:
    """Return the model that has met all others and lost to none (the first by name); None if there is none yet."""
    for model in sorted(models):
        met = [score_against(model, other, values) for other in models if other != model]
        if all(value is not None and value >= 0.5 for value in met):
            return model
    return None


def score_against(model: str, other: str, values: Mapping[Pair, float]) -> float | None:
    """Return what `model` got against `other`, None where the pair was not judged."""
    pair = pair_of(model, other)
    value = values.get(pair)
    return value if value is None or pair[0] == model else 1.0 - value


def _leaders(order: Sequence[str], values: Mapping[Pair, float]) -> list[str]:
    """Return who may hold the hill, best first: nobody once the winner is settled, all if everybody lost."""
    if condorcet_winner(order, values) is not None:
        return []
    unbeaten = [model for model in order if not _lost(model, order, values)]
    # Most meetings first: who has come furthest goes on.
    met = {model: sum(pair_of(model, other) in values for other in order) for model in unbeaten}
    return sorted(unbeaten, key=lambda model: -met[model]) or list(order)


def _lost(model: str, others: Sequence[str], values: Mapping[Pair, float]) -> bool:
    met = (score_against(model, other, values) for other in others if other != model)
    return any(value is not None and value < 0.5 for value in met)


def _shuffled(salt: str, model: str) -> bytes:
    return hashlib.blake2b(f"{salt}\0{model}".encode(), digest_size=8).digest()
