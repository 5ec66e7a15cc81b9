"""Gradient-boosted regressors (LightGBM) of the residuals: one per model, and one per model and category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.predictors.compiled_trees import CompiledTrees

Array = NDArray[np.float32]

#: A model with fewer scores has no regressor; its predicted residual is 0.
MIN_SCORES = 40
#: With this many prompts of a category, its regressor has the same weight as the global one.
CATEGORY_SHRINKAGE = 400.0
_TREES = 80


@dataclass(frozen=True)
class Regressors:
    """One LightGBM booster per model, which predicts the model's residuals.

    Attributes:
        texts: The boosters in LightGBM's text format; empty for a model with too few scores.
        trees: The same boosters compiled for fast prediction; None if `CompiledTrees` does not support them.
    """

    texts: tuple[str, ...]
    trees: CompiledTrees | None

    @classmethod
    def fit(cls, inputs: Array, residuals: Array, weights: Array, *, seed: int, threads: int) -> Regressors:
        """Fit to residuals [n, m], NaN where unknown, from inputs [n, k] with the prompts' weights [n]."""
        return cls.from_texts(
            [_fit_booster(inputs, column, weights, seed=seed, threads=threads) for column in residuals.T]
        )

    @classmethod
    def from_texts(cls, texts: Sequence[str]) -> Regressors:
        """Rebuild from `texts`; damaged ones raise errors of any class."""
        return cls(tuple(texts), CompiledTrees.from_texts(texts))

    def predict(self, inputs: Array, *, threads: int = 1) -> Array:
        """Return the predicted residuals, float32 [n, m]; 0 for a model without a booster."""
        if self.trees is not None:
            return self.trees.predict(inputs)
        result = np.zeros((len(inputs), len(self.texts)), dtype=np.float32)
        for column, booster in enumerate(self._boosters):
            if booster is not None and len(inputs):
                result[:, column] = booster.predict(inputs, num_threads=threads)
        return result

    @cached_property
    def _boosters(self) -> tuple[Any, ...]:
        import lightgbm

        return tuple(lightgbm.Booster(model_str=text) if text else None for text in self.texts)


@dataclass(frozen=True)
class CategoryRegressors:
    """The regressors of each category with enough prompts, blended with the global ones.

    Attributes:
        by_category: The regressors by the category's index.
        weights: Their weight in the blend, by the category's index; the global regressors have the rest.
    """

    by_category: Mapping[int, Regressors]
    weights: Mapping[int, float]

    @classmethod
    def fit(
        cls,
        inputs: Array,
        residuals: Array,
        weights: Array,
        category: NDArray[np.int64],
        *,
        seed: int,
        threads: int,
    ) -> CategoryRegressors:
        """Fit regressors for each category with enough prompts.

        Args:
            inputs: The inputs, [n, k].
            residuals: The residuals, [n, m], NaN where unknown.
            weights: The weights of the prompts, [n].
            category: The index of each prompt's category, [n], -1 for none.
            seed: The seed of LightGBM.
            threads: The number of threads of LightGBM.
        """
        counts = {int(index): int((category == index).sum()) for index in set(category[category >= 0])}
        chosen = sorted(index for index, count in counts.items() if MIN_SCORES <= count < len(inputs))
        rows = {index: category == index for index in chosen}
        fitted = {
            index: Regressors.fit(inputs[mask], residuals[mask], weights[mask], seed=seed, threads=threads)
            for index, mask in rows.items()
        }
        return cls(fitted, {index: counts[index] / (counts[index] + CATEGORY_SHRINKAGE) for index in chosen})

    def predict(
        self, inputs: Array, overall: Array, category: NDArray[np.int64], *, threads: int = 1
    ) -> Array:
        """Return the blend of the global predictions [n, m] with those of each prompt's category."""
        result = overall.copy()
        for index, regressors in self.by_category.items():
            rows = np.flatnonzero(category == index)
            weight = self.weights[index]
            result[rows] *= 1 - weight
            result[rows] += weight * regressors.predict(inputs[rows], threads=threads)
        return result


def train_booster(
    inputs: Array,
    targets: Array,
    weights: Array | None,
    *,
    objective: str,
    trees: int,
    seed: int,
    threads: int,
) -> Any:
    """Train one strongly regularised LightGBM booster; the same seed gives the same trees."""
    import lightgbm

    parameters = {
        "objective": objective,
        "learning_rate": 0.05,
        "num_leaves": 4,
        "min_data_in_leaf": max(5, min(40, len(inputs) // 12)),
        "lambda_l2": 20.0,
        "feature_fraction": 0.4,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "max_bin": 31,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(inputs, targets, weight=weights)
    return lightgbm.train(parameters, data, num_boost_round=trees)


def _fit_booster(inputs: Array, targets: Array, weights: Array, *, seed: int, threads: int) -> str:
    """Return the text of a booster; empty for too few, or only equal, residuals."""
    rows = np.isfinite(targets)
    if rows.sum() < MIN_SCORES or np.ptp(targets[rows]) == 0:
        return ""
    booster = train_booster(
        inputs[rows],
        targets[rows],
        weights[rows],
        objective="regression",
        trees=_TREES,
        seed=seed,
        threads=threads,
    )
    return str(booster.model_to_string())
