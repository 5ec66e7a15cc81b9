"""The predictors of a router and their files: arrays as .npz, boosters as LightGBM's text, no pickles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from router_core.artefact import pack, unpack
from router_core.features.representation import Representation
from router_core.predictors.category_classifier import SoftmaxClassifier
from router_core.predictors.ensemble import Ensemble
from router_core.predictors.expected_costs import ExpectedCosts
from router_core.predictors.gradient_boosting import CategoryRegressors, Regressors
from router_core.predictors.group_means import GroupMeans
from router_core.predictors.knn import KNearestNeighbours
from router_core.predictors.linear import RidgeRegression
from router_core.predictors.pairwise import PairwiseClassifier

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Predictors:
    """All predictors of a router.

    Attributes:
        representation: The map from a prompt's features to its representation.
        category_classifier: Predicts a prompt's category from its features.
        ensemble: Predicts the models' residuals.
        pairwise: Predicts which of two models is better on a prompt.
        costs: Predicts the cost of a prompt on each model.
    """

    representation: Representation
    category_classifier: SoftmaxClassifier
    ensemble: Ensemble
    pairwise: PairwiseClassifier
    costs: ExpectedCosts

    def files(self) -> dict[str, bytes]:
        """Return the contents of all files by name."""
        ensemble = self.ensemble
        return {
            "representation.npz": pack(self.representation.arrays()),
            "detector.npz": pack(self.category_classifier.arrays()),
            "category_means.npz": pack({"means": ensemble.category_means}),
            "group_means.npz": _pack_means(ensemble.group_means),
            "cluster_means.npz": _pack_means(ensemble.cluster_means),
            "memory.npz": pack(ensemble.knn.arrays()),
            "linear.npz": pack({"coefficients": ensemble.linear.coefficients}),
            **_regressor_files("regressor", ensemble.regressors),
            **_category_files(ensemble.category_regressors),
            "costs.npz": pack({"coefficients": self.costs.coefficients}),
            "fallback.npz": pack(self.pairwise.arrays()),
        }

    @classmethod
    def from_files(cls, files: Files, *, models: int) -> Predictors:
        """Rebuild from what `files` returned.

        Args:
            files: The contents of the files by name; others are ignored.
            models: The number of models.

        Raises:
            Exception: A file is missing (KeyError) or damaged (errors of any class).
        """
        return cls(
            Representation.from_arrays(unpack(files["representation.npz"])),
            SoftmaxClassifier.from_arrays(unpack(files["detector.npz"])),
            Ensemble(
                unpack(files["category_means.npz"])["means"],
                _unpack_means(files["group_means.npz"]),
                _unpack_means(files["cluster_means.npz"]),
                KNearestNeighbours.from_arrays(unpack(files["memory.npz"])),
                RidgeRegression(**unpack(files["linear.npz"])),
                _regressors_from(files, "regressor", models),
                _category_regressors_from(files, models),
            ),
            PairwiseClassifier.from_arrays(unpack(files["fallback.npz"])),
            ExpectedCosts(**unpack(files["costs.npz"])),
        )


def _pack_means(groups: GroupMeans) -> bytes:
    return pack({**groups.classifier.arrays(), "means": groups.means})


def _unpack_means(data: bytes) -> GroupMeans:
    arrays = unpack(data)
    return GroupMeans(SoftmaxClassifier.from_arrays(arrays), arrays["means"])


def _regressor_files(prefix: str, regressors: Regressors) -> dict[str, bytes]:
    """Return a file for each booster by its model's index; a model without a booster has none."""
    texts = enumerate(regressors.texts)
    return {f"{prefix}-{index:02d}.txt": text.encode() for index, text in texts if text}


def _regressors_from(files: Files, prefix: str, models: int) -> Regressors:
    names = (f"{prefix}-{index:02d}.txt" for index in range(models))
    return Regressors.from_texts([files.get(name, b"").decode() for name in names])


def _category_files(regressors: CategoryRegressors) -> dict[str, bytes]:
    files = {
        "category_regressors.npz": pack(
            {
                "categories": np.array(list(regressors.weights), dtype=np.int64),
                "weights": np.array(list(regressors.weights.values()), dtype=np.float64),
            }
        )
    }
    for index, fitted in regressors.by_category.items():
        files |= _regressor_files(f"category-{index:02d}-regressor", fitted)
    return files


def _category_regressors_from(files: Files, models: int) -> CategoryRegressors:
    arrays = unpack(files["category_regressors.npz"])
    weights = dict(zip(arrays["categories"].tolist(), arrays["weights"].tolist(), strict=True))
    fitted = {index: _regressors_from(files, f"category-{index:02d}-regressor", models) for index in weights}
    return CategoryRegressors(fitted, weights)
