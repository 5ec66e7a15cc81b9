"""Evaluation: what a router reaches on labelled prompts, next to what needs no router at all.

Headroom is (quality - best single) / (oracle - best single). The oracle knows every score and, labels being
noisy, is out of reach. The best single model is the one that was best in training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.errors import LabelsError
from router_core.labelled import LabelledPrompt, cost_matrix, score_matrix
from router_core.policy import Policy, Wish
from router_core.predictors.ensemble import PARTS
from router_core.router import Router
from router_core.splits import fold_of, splits

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

#: The policies that need no number from the user.
EVALUATED: tuple[Policy, ...] = ("quality", "saving", "weighted", "cargo")
BASELINES = {"category best": "category_means", "kNN": "memory"}


@dataclass(frozen=True)
class Line:
    """What one way of choosing reached. Costs are in dollars a prompt, NaN (None in JSON) where unknown.

    Standard errors are those of means over prompts; gains are paired with the best single model.
    """

    name: str
    prompts: int
    quality: float
    quality_error: float
    gain: float
    gain_error: float
    headroom: float
    headroom_error: float
    cost: float
    relative_cost: float
    fallback_share: float
    model_shares: Mapping[str, float]


@dataclass(frozen=True)
class Evaluation:
    """The lines of an evaluation: the router's policies and the baselines."""

    lines: tuple[Line, ...]

    def __getitem__(self, name: str) -> Line:
        return next(line for line in self.lines if line.name == name)

    def to_dict(self) -> dict[str, dict[str, object]]:
        """Return plain values for JSON, by the name of the line; None stands for what is unknown."""
        return {line.name: {key: _plain(value) for key, value in asdict(line).items()} for line in self.lines}

    def to_markdown(self) -> str:
        """Return a table with a row for each line."""
        head = "| | quality | gain over best single | headroom | relative cost | fallback used |"
        return "\n".join([head, "|---|---|---|---|---|---|", *map(_markdown, self.lines)])


@dataclass(frozen=True)
class _Picks:
    """What one way of choosing got on each prompt: score, cost [n], the model's name, classifier asked."""

    scores: Floats
    costs: Floats
    models: Sequence[str]
    asked: NDArray[np.bool_]


def evaluate(
    router: Router,
    rows: Iterable[LabelledPrompt],
    vectors: Array,
    *,
    quality_floor: float = 0.0,
    threads: int = 1,
) -> Evaluation:
    """Evaluate a router on labelled prompts that it was not trained on, and their vectors, float32 [n, d].

    A prompt on which the chosen model was not judged is left out of that line. Raises LabelsError if no row
    has a score of one of the router's models.
    """
    return _summarise([_picks(router, list(rows), vectors, quality_floor, threads)])


def cross_validate(
    rows: Sequence[LabelledPrompt],
    vectors: Array,
    train: Callable[[Sequence[LabelledPrompt], Array], Router],
    *,
    folds: int = 5,
    seed: int = 0,
    quality_floor: float = 0.0,
    threads: int = 1,
) -> Evaluation:
    """Evaluate on each fold, split by prompt, the router that `train` makes of the others."""
    results = []
    for learnt, held_out in splits(fold_of([row.prompt for row in rows], folds=folds, seed=seed)):
        router = train([rows[row] for row in learnt], vectors[learnt])
        held_out_rows = [rows[row] for row in held_out]
        results.append(_picks(router, held_out_rows, vectors[held_out], quality_floor, threads))
    return _summarise(results)


def _picks(
    router: Router, rows: Sequence[LabelledPrompt], vectors: Array, quality_floor: float, threads: int
) -> dict[str, _Picks]:
    """Return what the router and every baseline chose on each row."""
    scores, costs = score_matrix(rows, router.models), cost_matrix(rows, router.models)
    if not np.isfinite(scores).any():
        raise LabelsError("no row has a score of a model of the router")
    contest = router.contest(vectors, [row.prompt for row in rows], threads=threads)
    picks = _baselines(router, contest.points, scores, costs)
    for policy in EVALUATED:
        wish = Wish(policy=policy, quality_floor=quality_floor, cost_weight=router.settings.cost_weight)
        decisions = router.decide(contest, models=router.models, costs=costs, wish=wish)
        asked = decisions.used_fallback
        picks[f"router: {policy}"] = _take(router.models, scores, costs, decisions.choice, asked)
    return picks


def _baselines(router: Router, points: Array, scores: Floats, costs: Floats) -> dict[str, _Picks]:
    parts = router.predictors.ensemble.predict(points).parts

    def fixed(column: int) -> NDArray[np.int64]:
        return np.full(len(scores), column, dtype=np.int64)

    def part(name: str) -> NDArray[np.int64]:
        return np.asarray((router.prior + parts[PARTS.index(name)]).argmax(axis=1))

    mean_costs = np.where(np.isfinite(costs), costs, 0.0).sum(axis=0)
    known = np.where(np.isfinite(scores), scores, -np.inf)
    # Of several best models the oracle takes the cheapest.
    oracle = np.lexsort((np.nan_to_num(costs, nan=np.inf), -known), axis=1)[:, 0]
    choices = {"best single": fixed(int(router.prior.argmax())), "cheapest": fixed(int(mean_costs.argmin()))}
    choices |= {name: part(source) for name, source in BASELINES.items()}
    choices["oracle"] = oracle
    picks = {name: _take(router.models, scores, costs, choice) for name, choice in choices.items()}
    nobody = np.zeros(len(scores), dtype=np.bool_)
    return picks | {"random": _Picks(_row_means(scores), _row_means(costs), (), nobody)}


def _take(
    models: Sequence[str],
    scores: Floats,
    costs: Floats,
    choice: NDArray[np.int64],
    asked: NDArray[np.bool_] | None = None,
) -> _Picks:
    rows = np.arange(len(choice))
    asked = np.zeros(len(choice), dtype=np.bool_) if asked is None else asked
    return _Picks(scores[rows, choice], costs[rows, choice], [models[column] for column in choice], asked)


def _row_means(values: Floats) -> Floats:
    known = np.isfinite(values)
    count = known.sum(axis=1)
    totals = np.where(known, values, 0.0).sum(axis=1)
    return np.where(count > 0, totals / np.maximum(count, 1), np.nan)


def _summarise(results: Sequence[Mapping[str, _Picks]]) -> Evaluation:
    joined = {name: _join([result[name] for result in results]) for name in results[0]}
    best, oracle = joined["best single"], joined["oracle"]
    room = _mean(oracle.scores - best.scores)
    return Evaluation(tuple(_line(name, picks, best, room) for name, picks in joined.items()))


def _join(picks: Sequence[_Picks]) -> _Picks:
    return _Picks(
        np.concatenate([pick.scores for pick in picks]),
        np.concatenate([pick.costs for pick in picks]),
        [model for pick in picks for model in pick.models],
        np.concatenate([pick.asked for pick in picks]),
    )


def _line(name: str, picks: _Picks, best: _Picks, room: float) -> Line:
    gains = picks.scores - best.scores
    gain, gain_error = _mean(gains), _standard_error(gains)
    cost, best_cost = _mean(picks.costs), _mean(best.costs)
    names, counts = np.unique(np.array(picks.models, dtype=np.str_), return_counts=True)
    return Line(
        name=name,
        prompts=int(np.isfinite(picks.scores).sum()),
        quality=_mean(picks.scores),
        quality_error=_standard_error(picks.scores),
        gain=gain,
        gain_error=gain_error,
        headroom=_ratio(gain, room),
        headroom_error=_ratio(gain_error, room),
        cost=cost,
        relative_cost=_ratio(cost, best_cost),
        fallback_share=_mean(picks.asked.astype(np.float64)),
        model_shares={str(model): count / counts.sum() for model, count in zip(names, counts, strict=True)},
    )


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _standard_error(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else float("nan")


def _ratio(value: float, whole: float) -> float:
    return value / whole if whole > 0 else float("nan")


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _markdown(line: Line) -> str:
    values = [
        f"{line.quality:.4f} ± {line.quality_error:.4f}",
        f"{line.gain:+.4f} ± {line.gain_error:.4f}",
        f"{line.headroom:+.1%} ± {line.headroom_error:.1%}",
        f"{line.relative_cost:.3f}",
        f"{line.fallback_share:.1%}",
    ]
    return f"| {line.name} | " + " | ".join(values) + " |"
