"""Evidence: what a router and its own baselines chose on prompts, with all that it said about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.data.labelled_prompts import LabelledPrompt
from router_core.decisions import Decisions
from router_core.evaluation.metrics.curves import WEIGHTS, CostWeightSweep, join_sweeps
from router_core.evaluation.outcomes import Outcomes, expected_costs
from router_core.evaluation.pairwise_predictions import PairwisePredictions
from router_core.evaluation.strategies import Strategy, join_strategies
from router_core.policy.choice import choose, top_two
from router_core.policy.preferences import Policy, RoutingPreferences
from router_core.predictors.ensemble import PARTS
from router_core.predictors.scored_prompts import ScoredPrompts
from router_core.router import Router

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

#: The policies that need no number from the user.
EVALUATED_POLICIES: tuple[Policy, ...] = ("quality", "saving", "weighted", "cargo")
#: Baselines that are parts of the router on their own.
PART_BASELINES = {"category best": "category_means", "kNN": "memory"}


@dataclass(frozen=True)
class RouterOutputs:
    """All that a router did on prompts; arrays are [n] or [n, m] over the models of the outcomes.

    `predicted` is NaN for a model that the router does not know, `detected` None without categories.
    """

    outcomes: Outcomes
    strategies: Mapping[str, Strategy]
    sweeps: Mapping[str, CostWeightSweep]
    predicted: Floats
    detected: tuple[str | None, ...]
    pairwise: PairwisePredictions


def collect_outputs(
    router: Router,
    rows: Sequence[LabelledPrompt],
    vectors: Array,
    models: tuple[str, ...],
    *,
    quality_floor: float,
    threads: int,
) -> RouterOutputs:
    """Let a router choose on prompts of which it sees texts, vectors and expected costs, nothing more."""
    outcomes = Outcomes.of(rows, models)
    columns = np.array([models.index(model) for model in router.models], dtype=np.int64)
    texts = [row.prompt for row in rows]
    contest = router.predict(vectors, texts, threads=threads)
    learnt = router.expected_costs(contest, texts)
    # Where the training labels had no costs, the means of these rows have to do.
    means = expected_costs(outcomes.costs[:, columns], [len(text) for text in texts])
    run = _RouterRun(router, contest, np.where(np.isfinite(learnt), learnt, means), columns)
    posterior = contest.predictions.posterior
    parts = router.predictors.ensemble.predict(contest.representation, posterior, threads=threads).parts
    known = router.prior + parts[PARTS.index("memory")]
    return RouterOutputs(
        outcomes,
        strategies=run.policies(len(models), quality_floor) | run.baselines(len(models), parts),
        sweeps={"router": run.sweep(), "kNN": run.sweep_of(known)},
        predicted=_spread(run.contest.blended, columns, len(models)),
        detected=router.detected_categories(posterior),
        pairwise=run.pairwise(),
    )


@dataclass(frozen=True)
class _RouterRun:
    """A router before prompts: `costs` [n, own models], `columns` of its models among those evaluated."""

    router: Router
    contest: ScoredPrompts
    costs: Floats
    columns: Rows

    def policies(self, models: int, quality_floor: float) -> dict[str, Strategy]:
        """Return the router's ways by policy."""
        weight = self.router.hyperparameters.cost_weight
        wishes = [
            RoutingPreferences(policy=p, quality_floor=quality_floor, cost_weight=weight)
            for p in EVALUATED_POLICIES
        ]
        return {f"router: {wish.policy}": self._strategy(wish, models) for wish in wishes}

    def baselines(self, models: int, parts: Array) -> dict[str, Strategy]:
        """Return the ways that training alone settles: the best single model, and parts by themselves."""
        n = len(self.contest)
        prior = self.router.prior
        best = np.full(n, int(prior.argmax()))
        chosen = {"best single": best} | {
            name: (prior + parts[PARTS.index(part)]).argmax(axis=1) for name, part in PART_BASELINES.items()
        }
        return {name: Strategy.from_choice(self.columns[choice], models) for name, choice in chosen.items()}

    def sweep(self) -> CostWeightSweep:
        """Return the router's choices under `weighted` at each weight."""
        wishes = [RoutingPreferences(policy="weighted", cost_weight=weight) for weight in WEIGHTS]
        return CostWeightSweep(np.stack([self.columns[self._decide(wish).choice] for wish in wishes]))

    def sweep_of(self, predicted: Array) -> CostWeightSweep:
        """Return the choices at each weight by other predictions [n, own models], without a guard."""
        return CostWeightSweep(
            np.stack(
                [
                    self.columns[
                        weighted_choice(
                            predicted,
                            self.costs,
                            best_single=int(self.router.prior.argmax()),
                            weight=weight,
                            score_range=self.router.hyperparameters.score_range,
                        )
                    ]
                    for weight in WEIGHTS
                ]
            )
        )

    def pairwise(self) -> PairwisePredictions:
        """Return the classifier's word on every prompt's two highest predictions."""
        top = top_two(self.contest.blended)
        every = np.arange(len(self.contest))
        wins = self.router.predictors.pairwise.win_probability(self.contest, every, top.first, top.second)
        return PairwisePredictions(
            self.columns[top.first],
            self.columns[top.second],
            top.gap.astype(np.float64),
            wins.astype(np.float64),
        )

    def _strategy(self, wish: RoutingPreferences, models: int) -> Strategy:
        decisions = self._decide(wish)
        return Strategy.from_choice(self.columns[decisions.choice], models, decisions.used_fallback)

    def _decide(self, wish: RoutingPreferences) -> Decisions:
        return self.router.decide(self.contest, models=self.router.models, costs=self.costs, preferences=wish)


def weighted_choice(
    predicted: Array, costs: Floats, *, best_single: int, weight: float, score_range: float
) -> Rows:
    """Return the choice [n] of policy `weighted` over predictions [n, m] that no guard holds back."""
    nobody = np.zeros(len(predicted), dtype=np.bool_)
    wish = RoutingPreferences(policy="weighted", cost_weight=weight)
    return choose(
        predicted,
        costs=costs,
        best_single=best_single,
        decided_pairwise=nobody,
        preferences=wish,
        margin=0.0,
        score_range=score_range,
    ).choice


def join_outputs(parts: Sequence[RouterOutputs], order: Rows) -> RouterOutputs:
    """Return the evidence of several folds as one, in the order of the rows; `order` [n] are their numbers.

    Prompts do not stand in two folds, but are numbered anew in each.
    """
    back = np.argsort(order)
    outcomes = _join_outcomes([part.outcomes for part in parts]).take(back)
    duels = [part.pairwise for part in parts]
    return RouterOutputs(
        outcomes,
        {
            name: join_strategies([part.strategies[name] for part in parts]).take(back)
            for name in parts[0].strategies
        },
        {name: join_sweeps([part.sweeps[name] for part in parts]).take(back) for name in parts[0].sweeps},
        np.concatenate([part.predicted for part in parts])[back],
        tuple(np.array([name for part in parts for name in part.detected], dtype=object)[back]),
        PairwisePredictions(
            *(np.concatenate([getattr(duel, name) for duel in duels])[back] for name in vars(duels[0]))
        ),
    )


def _join_outcomes(parts: Sequence[Outcomes]) -> Outcomes:
    starts = np.cumsum([0, *(int(part.prompt_index.max(initial=-1)) + 1 for part in parts)])
    return Outcomes(
        parts[0].models,
        tuple(name for part in parts for name in part.ids),
        tuple(name for part in parts for name in part.categories),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.costs for part in parts]),
        np.concatenate([part.prompt_index + start for part, start in zip(parts, starts, strict=False)]),
    )


def _spread(values: Array, columns: Rows, models: int) -> Floats:
    """Return values [n, own models] in the columns of all models, NaN elsewhere."""
    wide = np.full((len(values), models), np.nan)
    wide[:, columns] = values
    return wide
