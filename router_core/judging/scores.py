"""Scores: `S_i` is the sum of what model i got over pairs and judges, normalised over the prompt's models.

As in CARGO (arXiv 2509.14899): win 1, tie 0.5, loss 0. The paper divides by the sum over the prompt's models;
here the result is multiplied by half their number, so that 0.5 is an average answer however many there were.
For a prompt whose pairs were all judged that is the model's win rate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from router_core.judging.tournament import score_against
from router_core.judging.verdicts import Judgement, Pair


def mean_pair_scores(judgements: Iterable[Judgement]) -> dict[int | str, dict[Pair, float]]:
    """Return by prompt and pair, what `pair[0]` got: the mean over the judges who said something usable."""
    heard: defaultdict[tuple[int | str, Pair], list[float]] = defaultdict(list)
    for one in judgements:
        if one.score is not None:
            heard[one.prompt, one.pair].append(one.score)
    values: defaultdict[int | str, dict[Pair, float]] = defaultdict(dict)
    for (prompt, pair), found in sorted(heard.items(), key=lambda item: (str(item[0][0]), item[0][1])):
        values[prompt][pair] = sum(sorted(found)) / len(found)
    return dict(values)


def prompt_scores(values: Mapping[Pair, float]) -> dict[str, float]:
    """Return each model's score on one prompt, 0 to 1, from the pairs judged; together half their number.

    A pair that was not judged counts by what both got against others: who lost to the winner as clearly as
    somebody else is taken to be its equal.
    """
    models = sorted({model for pair in values for model in pair})
    sums = {model: sum(_against(model, o, models, values) for o in models if o != model) for model in models}
    total = sum(sums.values())
    return {model: found / total * len(models) / 2 for model, found in sums.items()} if total else {}


def _against(model: str, other: str, models: list[str], values: Mapping[Pair, float]) -> float:
    met = score_against(model, other, values)
    return _score_by_common_opponents(model, other, models, values) if met is None else met


def _score_by_common_opponents(
    model: str, other: str, models: list[str], values: Mapping[Pair, float]
) -> float:
    """Return what the model would probably get, by those whom both have met; 0.5 where there is nobody."""
    guesses = []
    for third in models:
        mine, theirs = score_against(model, third, values), score_against(other, third, values)
        if third not in (model, other) and mine is not None and theirs is not None:
            guesses.append(min(1.0, max(0.0, 0.5 + mine - theirs)))
    return sum(guesses) / len(guesses) if guesses else 0.5
