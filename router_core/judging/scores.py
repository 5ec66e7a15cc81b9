"""Label scores of models from pairwise judgements, as in CARGO (arXiv 2509.14899).

The paper gives a model 1 for a win, 0.5 for a tie and 0 for a loss, adds this up over its pairs and judges to
`S_i`, and divides by the sum over the prompt's models. Here the quotient is multiplied by half the number of
models, so that an average answer has the score 0.5 however many models there are. Where all pairs of a prompt
were judged, this is the model's win rate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations

from router_core.judging.tournament import score_against
from router_core.judging.verdicts import Judgement, Pair, pair_of


def mean_pair_scores(judgements: Iterable[Judgement]) -> dict[int | str, dict[Pair, float]]:
    """Return the mean score of `pair[0]` over all judges with valid verdicts, by prompt and pair.

    Judgements without a score are left out, and so are pairs without any other.
    """
    scores: defaultdict[tuple[int | str, Pair], list[float]] = defaultdict(list)
    for judgement in judgements:
        if judgement.score is not None:
            scores[judgement.prompt, judgement.pair].append(judgement.score)
    means: defaultdict[int | str, dict[Pair, float]] = defaultdict(dict)
    for (prompt, pair), known in sorted(scores.items(), key=lambda item: (str(item[0][0]), item[0][1])):
        # Sorted, so that the order of the judgements does not change the rounding of the sum.
        means[prompt][pair] = sum(sorted(known)) / len(known)
    return dict(means)


def prompt_scores(pair_scores: Mapping[Pair, float]) -> dict[str, float]:
    """Return each model's score on one prompt, 0 to 1; the scores of m models sum to m / 2.

    A pair that was not judged gets an estimate from the opponents that its two models have in common
    (`_score_by_common_opponents`).

    Args:
        pair_scores: The score of `pair[0]`, 0 to 1, of each judged pair of the prompt.

    Returns:
        The scores by model; empty where no pair was judged.
    """
    models = sorted({model for pair in pair_scores for model in pair})
    sums = {
        model: sum(
            _known_or_estimated(model, other, models, pair_scores) for other in models if other != model
        )
        for model in models
    }
    total = sum(sums.values())
    return {model: won / total * len(models) / 2 for model, won in sums.items()} if total else {}


def with_checks(pair_scores: Mapping[Pair, float], fits: Mapping[str, bool]) -> dict[Pair, float]:
    """Return the pair scores, in which an answer that fits what was demanded beats every one that does not.

    Args:
        pair_scores: The score of `pair[0]`, 0 to 1, of each judged pair of a prompt.
        fits: Whether the answer fits, by the models whose answers were checked.
    """
    pairs = [pair_of(one, other) for one, other in combinations(fits, 2) if fits[one] is not fits[other]]
    return {**pair_scores, **{pair: float(fits[pair[0]]) for pair in pairs}}


def _known_or_estimated(
    model: str, other: str, models: list[str], pair_scores: Mapping[Pair, float]
) -> float:
    known = score_against(model, other, pair_scores)
    return _score_by_common_opponents(model, other, models, pair_scores) if known is None else known


def _score_by_common_opponents(
    model: str, other: str, models: list[str], pair_scores: Mapping[Pair, float]
) -> float:
    """Estimate a model's score against another one from the opponents that both were judged against.

    Each common opponent gives 0.5 plus the difference of the two models' scores against it, clipped to
    [0, 1]. The estimate is the mean over the common opponents, 0.5 without any. So two models that lost
    equally clearly to the same winner are taken to be equal.
    """
    estimates = []
    for opponent in models:
        if opponent in (model, other):
            continue
        own = score_against(model, opponent, pair_scores)
        others = score_against(other, opponent, pair_scores)
        if own is not None and others is not None:
            estimates.append(min(1.0, max(0.0, 0.5 + own - others)))
    return sum(estimates) / len(estimates) if estimates else 0.5
