"""The router: from vectors and texts of a chunk to decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.artefact import manifest_text, read_artefact, version_of, write_artefact
from router_core.decisions import Decisions
from router_core.errors import ArtefactError
from router_core.policy import POLICIES, Policy, choose, revise, top_two
from router_core.predictors.ensemble import Predictions
from router_core.predictors.fallback import Contest
from router_core.predictors.storage import Predictors

Array = NDArray[np.float32]
Costs = NDArray[np.floating]


@dataclass(frozen=True)
class Embedder:
    """The embedding model whose vectors the router was trained on."""

    model_id: str
    fingerprint: str
    dimension: int


@dataclass(frozen=True)
class Settings:
    """What training chose on inner folds.

    `weights` [parts] blend the predictors. `tau` is the gap under which the classifier decides, 0 for never.
    `trust` is, by policy, how much of what a prompt adds is believed; 0 means that the guard holds, and
    every prompt goes to the best single model.
    """

    weights: tuple[float, ...]
    tau: float
    trust: Mapping[str, float]


@dataclass(frozen=True)
class Router:
    """A trained router; `prior` [m] holds the models' mean scores, `training` the record of the training."""

    models: tuple[str, ...]
    embedder: Embedder
    prior: Array
    predictors: Predictors
    settings: Settings
    training: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""

    @property
    def categories(self) -> tuple[str, ...]:
        """Return the categories that the detector tells apart."""
        return self.predictors.ensemble.detector.categories

    @property
    def best_single(self) -> str:
        """Return the model with the highest mean score in training."""
        return self.models[int(self.prior.argmax())]

    def save(self, path: str | Path) -> None:
        """Write the router to a directory, at once; an older router at the path is replaced."""
        write_artefact(Path(path), self.manifest(), self.predictors.files())

    @classmethod
    def load(cls, path: str | Path) -> Router:
        """Read a router; raises ArtefactError unless every file is the one that the manifest names."""
        manifest, files, version = read_artefact(Path(path))
        try:
            return _from_manifest(manifest, files, version)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError(f"{path} is not a complete router: {type(error).__name__}") from error

    def manifest(self) -> dict[str, Any]:
        """Return the manifest without the files' hashes."""
        return {
            "models": list(self.models),
            "categories": list(self.categories),
            "embedder": asdict(self.embedder),
            "prior": self.prior.tolist(),
            "settings": asdict(self.settings),
            "training": dict(self.training),
        }

    def version_if_saved(self) -> str:
        """Return the version that the router has once it is saved: the short hash of its manifest."""
        return version_of(manifest_text(self.manifest(), self.predictors.files()))

    def route(
        self,
        vectors: Array,
        texts: Sequence[str],
        *,
        models: Sequence[str] | None = None,
        costs: Costs | None = None,
        policy: Policy = "saving",
        quality_floor: float = 0.0,
        tau: float | None = None,
        threads: int = 1,
    ) -> Decisions:
        """Choose a model for each prompt.

        `vectors` float32 [n, d] come from the router's embedder, `texts` [n] are the prompts. `models` are
        those to choose from, the router's own by default; one that it does not know is chosen only when
        nothing else is left. `costs` [n, len(models)] in dollars; without them all models cost the same.
        `quality_floor` is how far below the best single model's prediction `saving` may go. `tau` replaces
        the gap that training chose. Raises ValueError for a wrong shape, an unknown policy or no models.
        """
        models = self.models if models is None else tuple(models)
        costs = np.zeros((len(texts), len(models))) if costs is None else costs
        self._check(vectors, texts, models, costs, policy)
        contest = self.contest(vectors, texts, threads=threads)
        return self.decide(
            contest,
            models=models,
            costs=costs,
            policy=policy,
            quality_floor=quality_floor,
            tau=tau,
            threads=threads,
        )

    def contest(self, vectors: Array, texts: Sequence[str], *, threads: int = 1) -> Contest:
        """Return what the predictors say about each prompt, before any choice."""
        points = self.predictors.representation.transform(vectors, texts)
        wanted = [weight > 0 for weight in self.settings.weights]
        predictions = self.predictors.ensemble.predict(points, wanted=wanted, threads=threads)
        return Contest(points, predictions, self.predicted(predictions, trust=1.0))

    def decide(
        self,
        contest: Contest,
        *,
        models: tuple[str, ...],
        costs: Costs,
        policy: Policy,
        quality_floor: float = 0.0,
        tau: float | None = None,
        threads: int = 1,
    ) -> Decisions:
        """Choose a model for each prompt of a contest; the arguments are those of `route`."""
        trust = self.settings.trust[policy]
        tau = self.settings.tau if tau is None else tau
        columns = _columns(self.models, models)
        predicted = _widen(self.predicted(contest.predictions, trust=trust), columns)
        top = top_two(predicted)
        asked = top.close(tau if trust else 0.0)
        first_wins = self._first_wins(contest, asked, columns[top.first], columns[top.second], threads)
        chosen = choose(
            revise(predicted, top, first_wins),
            costs=costs,
            best_single=_best_single(_widen(self.prior[None], columns)[0], costs),
            asked=asked,
            policy=policy,
            quality_floor=quality_floor,
            held=trust == 0,
        )
        return Decisions(
            models=models,
            categories=self.categories,
            choice=chosen.choice,
            category=contest.predictions.category,
            predicted=predicted,
            gap=top.gap,
            used_fallback=asked,
            reason=chosen.reason,
            ranking=chosen.ranking,
        )

    def predicted(self, predictions: Predictions, *, trust: float) -> Array:
        """Return the predicted scores, float32 [n, m]: prior plus the trusted share of the blend."""
        weights = trust * np.array(self.settings.weights, dtype=np.float32)
        return np.asarray(self.prior + np.einsum("p,pnm->nm", weights, predictions.parts))

    def _first_wins(
        self,
        contest: Contest,
        asked: NDArray[np.bool_],
        first: NDArray[np.int64],
        second: NDArray[np.int64],
        threads: int,
    ) -> Array:
        """Return P(first beats second) where the classifier is asked, NaN elsewhere, float32 [n]."""
        rows = np.flatnonzero(asked)
        wins = np.full(len(asked), np.nan, dtype=np.float32)
        fallback = self.predictors.fallback
        wins[rows] = fallback.beats(contest, rows, first[rows], second[rows], threads=threads)
        return wins

    def _check(
        self, vectors: Array, texts: Sequence[str], models: tuple[str, ...], costs: Costs, policy: str
    ) -> None:
        if policy not in POLICIES:
            raise ValueError(f"unknown policy {policy!r}: one of {', '.join(POLICIES)}")
        if not models or len(set(models)) < len(models):
            raise ValueError("models must be at least one name, each once")
        if vectors.shape != (len(texts), self.embedder.dimension):
            wanted = (len(texts), self.embedder.dimension)
            raise ValueError(f"vectors have shape {vectors.shape}, not {wanted}")
        if costs.shape != (len(texts), len(models)):
            raise ValueError(f"costs have shape {costs.shape}, not {(len(texts), len(models))}")


def _from_manifest(manifest: Mapping[str, Any], files: Mapping[str, bytes], version: str) -> Router:
    settings = manifest["settings"]
    models = tuple(manifest["models"])
    return Router(
        models=models,
        embedder=Embedder(**manifest["embedder"]),
        prior=np.array(manifest["prior"], dtype=np.float32),
        predictors=Predictors.from_files(files, models=len(models)),
        settings=Settings(tuple(settings["weights"]), settings["tau"], settings["trust"]),
        training=manifest["training"],
        version=version,
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
