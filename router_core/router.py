"""The router: predicts what each model would score on a prompt, and chooses a model for each prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from router_core.decisions import Decisions, groups_of, merged
from router_core.features.prompt_features import PromptFeatures
from router_core.policy.choice import choose, revise, top_two
from router_core.policy.columns import best_column, columns_of, select
from router_core.policy.preferences import Policy, RoutingPreferences, Shift
from router_core.policy.shift import ShiftSettings, default_cost_weight
from router_core.predictors.ensemble import Predictions
from router_core.predictors.scored_prompts import ScoredPrompts
from router_core.router_files import RouterParts

Array = NDArray[np.float32]
Costs = NDArray[np.floating]


@dataclass(frozen=True)
class Router(RouterParts):
    """A trained router. `RouterParts` lists its attributes, and saves and loads them."""

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories that the category classifier knows."""
        return self.predictors.category_classifier.categories

    def detected_categories(self, posterior: Array) -> tuple[str | None, ...]:
        """Return the category of each prompt by its probabilities [n, c], None where no category fits."""
        decided = self.predictors.category_classifier.decide(posterior)
        return tuple(None if column < 0 else self.categories[column] for column in decided)

    @property
    def best_single(self) -> str:
        """The model with the highest mean score in training."""
        return self.models[int(self.prior.argmax())]

    def route(
        self,
        vectors: Array,
        texts: Sequence[str],
        *,
        models: Sequence[str] | None = None,
        costs: Costs | None = None,
        policy: Policy = "saving",
        quality_floor: float = 0.0,
        cost_weight: float | None = None,
        budget: float | None = None,
        tau: float | None = None,
        threads: int = 1,
        allowed: NDArray[np.bool_] | None = None,
        shift: Shift = "guard",
    ) -> Decisions:
        """Choose a model for each prompt of a batch, or of a part of one.

        Under `shift = "guard"` a decision depends on the prompts that come together.

        Args:
            vectors: The prompts' vectors from the router's embedder, float32 [n, d].
            texts: The prompts [n].
            models: The models to choose from; by default those of the router. A model that the router does
                not know is chosen only when no other is left.
            costs: The expected cost of each prompt on each model, dollars [n, len(models)]; without them all
                models cost the same.
            policy: The rule of the choice; `router_core.policy.choice` describes them.
            quality_floor: See `RoutingPreferences`.
            cost_weight: See `RoutingPreferences`; by default the one that training chose.
            budget: See `RoutingPreferences`, dollars per thousand prompts.
            tau: The gap under which the pairwise classifier decides; by default the one that training chose.
            threads: The number of threads of LightGBM.
            allowed: See `decide`.
            shift: See `decide`.

        Raises:
            ValueError: A wrong shape, an unknown policy, or models that are none or not distinct.
        """
        models = self.models if models is None else tuple(models)
        costs = np.zeros((len(texts), len(models))) if costs is None else costs
        self._check(vectors, texts, models, costs)
        weight = default_cost_weight(self.hyperparameters, shift) if cost_weight is None else cost_weight
        preferences = RoutingPreferences(
            policy=policy, quality_floor=quality_floor, cost_weight=weight, budget=budget
        )
        scored = self.predict(vectors, texts, threads=threads)
        return self.decide(
            scored,
            models=models,
            costs=costs,
            preferences=preferences,
            tau=tau,
            allowed=allowed,
            shift=shift,
        )

    def predict(self, vectors: Array, texts: Sequence[str], *, threads: int = 1) -> ScoredPrompts:
        """Return the representation, predictions and blended scores of each prompt; nothing is chosen yet."""
        features = PromptFeatures.of(vectors, texts)
        representation = self.predictors.representation.transform(features)
        posterior = self.predictors.category_classifier.posterior(features.category_inputs())
        used = [weight > 0 for weight in self.hyperparameters.weights]
        predictions = self.predictors.ensemble.predict(representation, posterior, used=used, threads=threads)
        outside = self.predictors.representation.outside(features.vectors, representation)
        return self.scored(representation, replace(predictions, outside=outside))

    def scored(self, representation: Array, predictions: Predictions) -> ScoredPrompts:
        """Return representations [n, k] and predictions with the blended scores and the novelty."""
        novelty = None
        if self.novelty is not None and predictions.signals is not None:
            novelty = self.novelty.novelty(representation, predictions)
        return ScoredPrompts(representation, predictions, self.blend(predictions), novelty)

    def expected_costs(self, scored: ScoredPrompts, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the expected cost of each prompt on each model, dollars [n, m], estimated from the labels.

        NaN for a model whose labels had no costs.
        """
        task_probabilities = self.predictors.ensemble.task_probabilities(scored.representation)
        return self.predictors.costs.predict(task_probabilities, texts)

    def decide(
        self,
        scored: ScoredPrompts,
        *,
        models: tuple[str, ...],
        costs: Costs,
        preferences: RoutingPreferences,
        tau: float | None = None,
        allowed: NDArray[np.bool_] | None = None,
        shift: Shift = "guard",
    ) -> Decisions:
        """Choose a model for each of the scored prompts; `models`, `costs` and `tau` are those of `route`.

        Args:
            scored: The prompts with their predicted scores [n].
            models: The models to choose from [m].
            costs: The expected costs, dollars [n, m].
            preferences: The policy and its numbers. A budget holds for each set of models by itself.
            tau: The gap under which the pairwise classifier decides.
            allowed: Which models may answer each prompt [n, m]; by default all. Prompts that others may
                answer are decided as if those were all models: the best single model is the best of those.
            shift: Whether prompts unlike the labelled ones take the best single model (`guard`), or are
                decided as all others (`none`). Routers that do not measure novelty know no difference.
        """
        if allowed is not None and not allowed.all():
            groups = groups_of(allowed)
            parts = [
                self.decide(
                    scored.take(group.rows),
                    models=tuple(models[column] for column in group.columns),
                    costs=costs[group.rows[:, None], group.columns],
                    preferences=preferences,
                    tau=tau,
                    shift=shift,
                )
                for group in groups
            ]
            return merged(models, groups, parts)
        # Models of equal score and cost are ordered by name, whatever order the caller lists them in.
        order = np.argsort(np.array(models, dtype=np.str_), kind="stable")
        decisions = self._decide(
            scored, tuple(models[column] for column in order), costs[:, order], preferences, tau, shift
        )
        return decisions.in_order(models, order)

    def _decide(
        self,
        scored: ScoredPrompts,
        models: tuple[str, ...],
        costs: Costs,
        preferences: RoutingPreferences,
        tau: float | None,
        shift: Shift,
    ) -> Decisions:
        settings = ShiftSettings.of(
            self.hyperparameters, preferences, scored.novelty, n=len(scored), shift=shift
        )
        margin = settings.margin
        tau = self.hyperparameters.tau if tau is None else tau
        columns = columns_of(self.models, models)
        uses_predictions = margin is not None or preferences.trades_quality_for_cost
        blended = settings.shrink(scored.blended, self.prior) if uses_predictions else None
        predicted = select(self._means(len(scored)) if blended is None else blended, columns)
        top = top_two(predicted)
        decided_pairwise = top.close(tau if margin is not None else 0.0)
        first_wins = self._first_wins(scored, decided_pairwise, columns[top.first], columns[top.second])
        chosen = choose(
            revise(predicted, top, first_wins),
            costs=costs,
            best_single=best_column(select(self.prior[None], columns)[0], costs),
            decided_pairwise=decided_pairwise,
            preferences=preferences,
            margin=margin,
            score_range=self.hyperparameters.score_range,
            unfamiliar=settings.unfamiliar,
        )
        return Decisions(
            models=models,
            categories=self.categories,
            choice=chosen.choice,
            category=self.predictors.category_classifier.decide(scored.predictions.posterior),
            predicted=predicted,
            gap=top.gap,
            used_fallback=decided_pairwise,
            reason=chosen.reason,
            ranking=chosen.ranking,
            novelty=scored.novelty_or_nan(),
        )

    def blend(self, predictions: Predictions) -> Array:
        """Return the predicted scores, float32 [n, m]: the prior plus the weighted sum of the parts."""
        weights = np.array(self.hyperparameters.weights, dtype=np.float32)
        return np.asarray(self.prior + np.einsum("p,pnm->nm", weights, predictions.parts))

    def _means(self, n: int) -> Array:
        """Return the prior for each of n prompts, float32 [n, m]."""
        return np.tile(self.prior, (n, 1))

    def _first_wins(
        self,
        scored: ScoredPrompts,
        decided_pairwise: NDArray[np.bool_],
        first: NDArray[np.int64],
        second: NDArray[np.int64],
    ) -> Array:
        """Return P(first beats second) where the pairwise classifier decides, NaN elsewhere, float32 [n]."""
        rows = np.flatnonzero(decided_pairwise)
        wins = np.full(len(decided_pairwise), np.nan, dtype=np.float32)
        wins[rows] = self.predictors.pairwise.win_probability(scored, rows, first[rows], second[rows])
        return wins

    def _check(self, vectors: Array, texts: Sequence[str], models: tuple[str, ...], costs: Costs) -> None:
        if not models or len(set(models)) < len(models):
            raise ValueError("models must be at least one name, each once")
        if vectors.shape != (len(texts), self.embedder.dimension):
            expected = (len(texts), self.embedder.dimension)
            raise ValueError(f"vectors have shape {vectors.shape}, not {expected}")
        if costs.shape != (len(texts), len(models)):
            raise ValueError(f"costs have shape {costs.shape}, not {(len(texts), len(models))}")
