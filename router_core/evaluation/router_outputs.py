"""The choices and predictions of a router and of its baselines on held-out prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.data.labelled_prompts import LabelledPrompt
from router_core.decisions import Decisions
from router_core.errors import LabelsError
from router_core.evaluation.best_constant import ROUTER
from router_core.evaluation.evaluated_policies import PolicyNumbers, trades
from router_core.evaluation.metrics.curves import WEIGHTS, CostWeightSweep
from router_core.evaluation.outcomes import Outcomes, expected_costs
from router_core.evaluation.pairwise_predictions import PairwisePredictions
from router_core.evaluation.strategies import Strategy
from router_core.policy.choice import choose, top_two
from router_core.policy.columns import best_column
from router_core.policy.preferences import RoutingPreferences
from router_core.policy.shift import default_cost_weight
from router_core.predictors.ensemble import PARTS
from router_core.predictors.scored_prompts import ScoredPrompts
from router_core.router import Router

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

#: Baselines that consist of a single part of the router's ensemble, by name.
PART_BASELINES = {"category best": "category_means", "kNN": "memory"}


@dataclass(frozen=True)
class RouterOutputs:
    """The choices and predictions of a router on n prompts, and the outcomes of m models on them.

    Attributes:
        outcomes: The actual scores and costs.
        strategies: The choices of the router under each policy, and of its baselines, by name.
        trades: The choices of the router under `evaluated_policies.trades`, by option.
        sweeps: The choices of the router and of kNN under each weight of the cost, by name.
        predicted: The predicted scores [n, m], NaN for a model that the router does not know.
        detected: The detected categories [n], None for a router without categories.
        pairwise: The pairwise classifier's predictions.
        novelty: The probability that a prompt is unlike the labels [n], NaN where it is not measured.
    """

    outcomes: Outcomes
    strategies: Mapping[str, Strategy]
    trades: Mapping[str, Strategy]
    sweeps: Mapping[str, CostWeightSweep]
    predicted: Floats
    detected: tuple[str | None, ...]
    pairwise: PairwisePredictions
    novelty: Array


def collect_outputs(
    router: Router,
    rows: Sequence[LabelledPrompt],
    vectors: Array,
    models: tuple[str, ...],
    *,
    numbers: PolicyNumbers,
    score_range: float,
    threads: int,
) -> RouterOutputs:
    """Run a router on labelled prompts; it sees their texts, vectors and expected costs only.

    Args:
        router: The router.
        rows: Labelled prompts [n].
        vectors: Their embeddings, float32 [n, d].
        models: The models of the outcomes; the router's models must be among them.
        numbers: The parameters of the policies.
        score_range: The range of the scores, highest less lowest.
        threads: The number of threads of the predictors.

    Raises:
        LabelsError: There is a budget, and a model without known costs.
    """
    outcomes = Outcomes.of(rows, models)
    columns = np.array([models.index(model) for model in router.models], dtype=np.int64)
    texts = [row.prompt for row in rows]
    scored = router.predict(vectors, texts, threads=threads)
    learnt_costs = router.expected_costs(scored, texts)
    # A router whose training labels had no costs gets the expected costs of these rows.
    own_costs = expected_costs(outcomes.costs[:, columns], [len(text) for text in texts])
    costs = np.where(np.isfinite(learnt_costs), learnt_costs, own_costs)
    if numbers.budget is not None:
        _check_costs(costs, router.models)
    run = _RouterRun(router, scored, costs, columns, len(models))
    posterior = scored.predictions.posterior
    parts = router.predictors.ensemble.predict(scored.representation, posterior, threads=threads).parts
    knn_scores = router.prior + parts[PARTS.index("memory")]
    return RouterOutputs(
        outcomes,
        strategies=run.policies(numbers) | run.baselines(parts),
        trades={option: run.strategy_of(one) for option, one in trades(score_range).items()},
        sweeps={"router": run.sweep(), "kNN": run.sweep_of(knn_scores)},
        predicted=_spread(scored.blended, columns, len(models)),
        detected=router.detected_categories(posterior),
        pairwise=run.pairwise(),
        novelty=scored.novelty_or_nan(),
    )


def _check_costs(costs: Floats, models: Sequence[str]) -> None:
    """Refuse a budget that would not be one: no cost is known of a model, so it would count as another's."""
    unknown = [models[column] for column in np.flatnonzero(np.isnan(costs).all(axis=0)).tolist()]
    if unknown:
        raise LabelsError(
            f"a budget needs the costs of all models: no label has those of {', '.join(unknown)}"
        )


@dataclass(frozen=True)
class _RouterRun:
    """A router with its predictions on n prompts.

    Attributes:
        router: The router, of r models.
        scored: Its predictions.
        costs: Expected costs in dollars [n, r].
        columns: The columns of its models among all evaluated models [r].
        models: The number of all evaluated models.
    """

    router: Router
    scored: ScoredPrompts
    costs: Floats
    columns: Rows
    models: int

    def policies(self, numbers: PolicyNumbers) -> dict[str, Strategy]:
        """Return the router's strategy under each evaluated policy."""
        weight = default_cost_weight(self.router.hyperparameters, "guard")
        preferences = numbers.preferences(trained_weight=weight)
        return {f"{ROUTER}{policy}": self.strategy_of(one) for policy, one in preferences.items()}

    def strategy_of(self, preferences: RoutingPreferences) -> Strategy:
        """Return the router's strategy under these preferences."""
        decisions = self._decide(preferences)
        return self._strategy(decisions.choice, decisions.used_fallback)

    def baselines(self, parts: Array) -> dict[str, Strategy]:
        """Return the best single model of the training, and the baselines of a single ensemble part.

        Args:
            parts: What each part of the ensemble adds to the models' means, [parts, n, r].
        """
        prior = self.router.prior
        best_single = np.full(len(self.scored), self._best_single)
        choices = {"best single": best_single} | {
            name: (prior + parts[PARTS.index(part)]).argmax(axis=1) for name, part in PART_BASELINES.items()
        }
        return {name: self._strategy(choice) for name, choice in choices.items()}

    def sweep(self) -> CostWeightSweep:
        """Return the router's choices under policy `weighted` at each weight of the cost."""
        preferences = [RoutingPreferences(policy="weighted", cost_weight=weight) for weight in WEIGHTS]
        choices = [self._decide(weighted).choice for weighted in preferences]
        return CostWeightSweep(self.columns[np.stack(choices)])

    def sweep_of(self, predicted: Array) -> CostWeightSweep:
        """Return the choices at each weight by these predicted scores [n, r], without a margin."""
        best_single, score_range = self._best_single, self.router.hyperparameters.score_range
        choices = [
            weighted_choice(
                predicted, self.costs, best_single=best_single, weight=weight, score_range=score_range
            )
            for weight in WEIGHTS
        ]
        return CostWeightSweep(self.columns[np.stack(choices)])

    def pairwise(self) -> PairwisePredictions:
        """Return the classifier's predictions on the two highest predicted scores of every prompt."""
        top = top_two(self.scored.blended)
        every_row = np.arange(len(self.scored))
        classifier = self.router.predictors.pairwise
        first_wins = classifier.win_probability(self.scored, every_row, top.first, top.second)
        return PairwisePredictions(
            self.columns[top.first],
            self.columns[top.second],
            top.gap.astype(np.float64),
            first_wins.astype(np.float64),
        )

    @property
    def _best_single(self) -> int:
        """The column of the best single model of the training; of equal ones the cheapest, as in use."""
        return best_column(self.router.prior, self.costs)

    def _strategy(self, choice: Rows, decided_pairwise: NDArray[np.bool_] | None = None) -> Strategy:
        return Strategy.from_choice(self.columns[choice], self.models, decided_pairwise)

    def _decide(self, preferences: RoutingPreferences) -> Decisions:
        return self.router.decide(
            self.scored, models=self.router.models, costs=self.costs, preferences=preferences
        )


def weighted_choice(
    predicted: Array, costs: Floats, *, best_single: int, weight: float, score_range: float
) -> Rows:
    """Return the choices of policy `weighted` by predicted scores, without a margin.

    Args:
        predicted: Predicted scores [n, m].
        costs: Expected costs in dollars [n, m].
        best_single: The column of the best single model.
        weight: The weight of the cost.
        score_range: The range of the scores.

    Returns:
        The columns of the chosen models [n].
    """
    return choose(
        predicted,
        costs=costs,
        best_single=best_single,
        decided_pairwise=np.zeros(len(predicted), dtype=np.bool_),
        preferences=RoutingPreferences(policy="weighted", cost_weight=weight),
        margin=0.0,
        score_range=score_range,
    ).choice


def _spread(values: Array, columns: Rows, models: int) -> Floats:
    """Return values [n, r] in these columns [r] of an array [n, models], NaN elsewhere."""
    wide = np.full((len(values), models), np.nan)
    wide[:, columns] = values
    return wide
