"""The router: from vectors and texts of a chunk to decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.artefact import manifest_text, read_artefact, version_of, write_artefact
from router_core.data.prompt_hashes import PromptHashSet
from router_core.decisions import Decisions
from router_core.embedding.spec import EmbedderSpec
from router_core.errors import ArtefactError
from router_core.features.prompt_features import PromptFeatures
from router_core.hyperparameters import Hyperparameters
from router_core.monitoring.drift_reference import FILE as REFERENCE_FILE
from router_core.monitoring.drift_reference import DriftReference
from router_core.policy.choice import choose, revise, top_two
from router_core.policy.preferences import Policy, RoutingPreferences
from router_core.predictors.ensemble import Predictions
from router_core.predictors.knn import FILE as IDS_FILE
from router_core.predictors.knn import LabelledIds
from router_core.predictors.scored_prompts import ScoredPrompts
from router_core.predictors.storage import Predictors

Array = NDArray[np.float32]
Costs = NDArray[np.floating]


@dataclass(frozen=True)
class Router:
    """A trained router; `prior` [m] holds the models' mean scores, `training` the record of the training.

    `learnt_from` tells the prompts that any of its parts has learnt from; `reference` what they were like,
    None where they were too few and in older routers.
    """

    models: tuple[str, ...]
    embedder: EmbedderSpec
    prior: Array
    predictors: Predictors
    hyperparameters: Hyperparameters
    training_prompts: PromptHashSet
    training: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    labelled_ids: LabelledIds = field(default_factory=LabelledIds)
    drift_reference: DriftReference | None = None

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories that the detector tells apart."""
        return self.predictors.category_classifier.categories

    def detected_categories(self, posterior: Array) -> tuple[str | None, ...]:
        """Return the category of each prompt by its probabilities [n, c], None where none fits."""
        decided = self.predictors.category_classifier.decide(posterior)
        return tuple(None if column < 0 else self.categories[column] for column in decided)

    @property
    def best_single(self) -> str:
        """The model with the highest mean score in training."""
        return self.models[int(self.prior.argmax())]

    def save(self, path: str | Path) -> None:
        """Write the router to a directory, at once; an older router at the path is replaced."""
        write_artefact(Path(path), self.manifest(), self._files())

    @classmethod
    def load(cls, path: str | Path) -> Router:
        """Read a router; raises ArtefactError unless every file is the one that the manifest names."""
        manifest, files, version = read_artefact(Path(path))
        try:
            return _from_manifest(manifest, files, version)
        except Exception as error:  # damage that the hashes do not show comes out as an error of any class
            raise ArtefactError(f"{path} is not a complete router: {type(error).__name__}") from error

    def manifest(self) -> dict[str, Any]:
        """Return the manifest without the files' hashes."""
        return {
            "models": list(self.models),
            "categories": list(self.categories),
            "embedder": self.embedder.manifest(),
            "prior": self.prior.tolist(),
            "settings": self.hyperparameters.manifest(),
            "training": dict(self.training),
        }

    def version_if_saved(self) -> str:
        """Return the version that the router has once it is saved: the short hash of its manifest."""
        return version_of(manifest_text(self.manifest(), self._files()))

    def _files(self) -> dict[str, bytes]:
        own = {"prompts.npz": self.training_prompts.to_bytes(), IDS_FILE: self.labelled_ids.data}
        if self.drift_reference is not None:
            own[REFERENCE_FILE] = self.drift_reference.to_bytes()
        return {**self.predictors.files(), **own, **self.embedder.files}

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
    ) -> Decisions:
        """Choose a model for each prompt.

        `vectors` float32 [n, d] come from the router's embedder, `texts` [n] are the prompts. `models` are
        those to choose from, the router's own by default; one that it does not know is chosen only when
        nothing else is left. `costs` [n, len(models)] in dollars; without them all models cost the same.
        `quality_floor`, `cost_weight` (by default that of the training) and `budget` (dollars a thousand
        prompts) are those of `policy.Wish`. `tau` replaces the gap that training chose. Raises ValueError for
        a wrong shape, an unknown policy or no models.
        """
        models = self.models if models is None else tuple(models)
        costs = np.zeros((len(texts), len(models))) if costs is None else costs
        self._check(vectors, texts, models, costs)
        weight = self.hyperparameters.cost_weight if cost_weight is None else cost_weight
        preferences = RoutingPreferences(
            policy=policy, quality_floor=quality_floor, cost_weight=weight, budget=budget
        )
        scored = self.predict(vectors, texts, threads=threads)
        return self.decide(scored, models=models, costs=costs, preferences=preferences, tau=tau)

    def predict(self, vectors: Array, texts: Sequence[str], *, threads: int = 1) -> ScoredPrompts:
        """Return what the predictors say about each prompt, before any choice."""
        features = PromptFeatures.of(vectors, texts)
        representation = self.predictors.representation.transform(features)
        posterior = self.predictors.category_classifier.posterior(features.category_inputs())
        wanted = [weight > 0 for weight in self.hyperparameters.weights]
        predictions = self.predictors.ensemble.predict(
            representation, posterior, wanted=wanted, threads=threads
        )
        return ScoredPrompts(representation, predictions, self.blend(predictions))

    def expected_costs(self, scored: ScoredPrompts, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return what each prompt will probably cost on each model, dollars [n, m], as the labels' costs say.

        NaN for a model whose labels had no costs. Unlike the bill, this is known before the answer.
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
    ) -> Decisions:
        """Choose a model for each prompt of a contest; the other arguments are those of `route`."""
        # Equal scores and prices are told apart by the name, so that no choice depends on the order asked in.
        order = np.argsort(np.array(models, dtype=np.str_), kind="stable")
        decisions = self._decide(
            scored, tuple(models[column] for column in order), costs[:, order], preferences, tau
        )
        return decisions.in_order(models, order)

    def _decide(
        self,
        scored: ScoredPrompts,
        models: tuple[str, ...],
        costs: Costs,
        preferences: RoutingPreferences,
        tau: float | None,
    ) -> Decisions:
        margin = self.hyperparameters.margins[preferences.policy]
        tau = self.hyperparameters.tau if tau is None else tau
        columns = _columns(self.models, models)
        uses_predictions = margin is not None or preferences.trades_quality_for_cost
        predicted = _widen(scored.blended if uses_predictions else self._means(len(scored)), columns)
        top = top_two(predicted)
        decided_pairwise = top.close(tau if margin is not None else 0.0)
        first_wins = self._first_wins(scored, decided_pairwise, columns[top.first], columns[top.second])
        chosen = choose(
            revise(predicted, top, first_wins),
            costs=costs,
            best_single=_best_single(_widen(self.prior[None], columns)[0], costs),
            decided_pairwise=decided_pairwise,
            preferences=preferences,
            margin=margin,
            score_range=self.hyperparameters.score_range,
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
        )

    def blend(self, predictions: Predictions) -> Array:
        """Return the predicted scores, float32 [n, m]: prior plus the blend of the parts."""
        weights = np.array(self.hyperparameters.weights, dtype=np.float32)
        return np.asarray(self.prior + np.einsum("p,pnm->nm", weights, predictions.parts))

    def _means(self, n: int) -> Array:
        """Return what counts while the guard holds and no trade is asked for: the means, float32 [n, m]."""
        return np.tile(self.prior, (n, 1))

    def _first_wins(
        self,
        scored: ScoredPrompts,
        decided_pairwise: NDArray[np.bool_],
        first: NDArray[np.int64],
        second: NDArray[np.int64],
    ) -> Array:
        """Return P(first beats second) where the classifier is asked, NaN elsewhere, float32 [n]."""
        rows = np.flatnonzero(decided_pairwise)
        wins = np.full(len(decided_pairwise), np.nan, dtype=np.float32)
        wins[rows] = self.predictors.pairwise.win_probability(scored, rows, first[rows], second[rows])
        return wins

    def _check(self, vectors: Array, texts: Sequence[str], models: tuple[str, ...], costs: Costs) -> None:
        if not models or len(set(models)) < len(models):
            raise ValueError("models must be at least one name, each once")
        if vectors.shape != (len(texts), self.embedder.dimension):
            wanted = (len(texts), self.embedder.dimension)
            raise ValueError(f"vectors have shape {vectors.shape}, not {wanted}")
        if costs.shape != (len(texts), len(models)):
            raise ValueError(f"costs have shape {costs.shape}, not {(len(texts), len(models))}")


def _from_manifest(manifest: Mapping[str, Any], files: Mapping[str, bytes], version: str) -> Router:
    models = tuple(manifest["models"])
    return Router(
        models=models,
        embedder=EmbedderSpec.from_manifest(manifest["embedder"], files),
        prior=np.array(manifest["prior"], dtype=np.float32),
        predictors=Predictors.from_files(files, models=len(models)),
        hyperparameters=Hyperparameters.from_manifest(manifest["settings"]),
        training_prompts=PromptHashSet.from_bytes(files["prompts.npz"]),
        training=manifest["training"],
        version=version,
        labelled_ids=LabelledIds(files[IDS_FILE]) if IDS_FILE in files else LabelledIds(),
        drift_reference=DriftReference.from_bytes(files[REFERENCE_FILE]) if REFERENCE_FILE in files else None,
    )


def _columns(known: tuple[str, ...], models: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the column of each requested model among the known ones, -1 for an unknown model."""
    index = {model: column for column, model in enumerate(known)}
    return np.array([index.get(model, -1) for model in models], dtype=np.int64)


def _widen(values: Array, columns: NDArray[np.int64]) -> Array:
    """Return the requested columns of [n, m], NaN for -1."""
    return np.where(columns >= 0, values[:, columns], np.float32(np.nan))


def _best_single(prior: Array, costs: Costs) -> int:
    """Return the index of the highest prior, the cheapest of equals."""
    mean_costs = np.nan_to_num(costs, nan=np.inf).mean(axis=0) if len(costs) else np.zeros(len(prior))
    return int(np.lexsort((mean_costs, -np.nan_to_num(prior, nan=-np.inf)))[0])
