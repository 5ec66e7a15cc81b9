"""What the router is compared with: usual ways of routing, each learning from the same prompts as the router.

None holds back: they choose by their predictions, without margins or a guard.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

NEIGHBOURS = 300
#: The gap below which the paper's notebooks ask the classifier.
TAU = 0.05
#: Pairs that the classifier learns from: more change nothing but the time.
_PAIRS = 30_000
#: Many small steps by trees of seven leaves, each on a part of the prompts and of the directions.
CAREFUL = {
    "num_leaves": 7,
    "learning_rate": 0.05,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 10.0,
}
_TREES = 150


@dataclass(frozen=True)
class Fitted:
    """Predicted scores of new prompts [n, m], and where a classifier has swapped the highest two [n]."""

    predicted: Floats
    asked: NDArray[np.bool_]

    @classmethod
    def without_classifier(cls, predicted: Floats) -> Fitted:
        """Return predictions that no classifier has looked at."""
        return cls(predicted, np.zeros(len(predicted), dtype=np.bool_))


def knn(vectors: Array, scores: Floats, new: Array, threads: int) -> Fitted:
    """Predict the mean score over the nearest prompts by cosine (arXiv 2505.12601)."""
    similarity = new @ vectors.T
    count = min(NEIGHBOURS, len(vectors) - 1)
    nearest = np.argpartition(-similarity, count, axis=1)[:, :count]
    return Fitted.without_classifier(np.nanmean(scores[nearest], axis=1))


def winner(vectors: Array, scores: Floats, new: Array, threads: int) -> Fitted:
    """Predict each model's share of wins among the five nearest prompts.

    As LLMRouter's knnrouter (github.com/ulab-uiuc/LLMRouter): a 5-nearest-neighbour classifier, Euclidean and
    unweighted, of the model with the highest score, the first of equals.
    """
    wins = np.eye(scores.shape[1])[np.nan_to_num(scores, nan=-np.inf).argmax(axis=1)]
    nearest = np.argpartition(-(new @ vectors.T), 5, axis=1)[:, :5]
    return Fitted.without_classifier(wins[nearest].mean(axis=1))


def lightgbm_per_model(vectors: Array, scores: Floats, new: Array, threads: int) -> Fitted:
    """Predict by one careful LightGBM regressor a model.

    At LightGBM's default parameters, 50 trees of 31 leaves, the regressors follow the noise of pass and fail
    (docs/method.md).
    """
    return Fitted.without_classifier(boosted(vectors, scores, new, {**CAREFUL, "num_threads": threads}))


def lightgbm_centred(vectors: Array, scores: Floats, new: Array, threads: int) -> Fitted:
    """Predict, by the same regressors, how far each model is above the mean of all on the prompt.

    How easy a prompt is moves all models alike. Regressors of the scores themselves spend their leaves
    on that, each with an error of its own, and the choice takes the errors for differences.
    """
    centred = scores - np.nanmean(scores, axis=1, keepdims=True)
    return lightgbm_per_model(vectors, centred, new, threads)


def cargo(vectors: Array, scores: Floats, new: Array, threads: int) -> Fitted:
    """Route as CARGO's authors do (github.com/Cargo-LLM/CARGO, commit 978af3c, train_global_Regressor.ipynb,
    the cell that runs regressors and selector together), but with pairs from known prompts only.

    Theirs and here: a random forest a model on the embedding of length 1 (depth at most 25, at least five
    prompts a leaf, every feature tried at every split), and below a gap of 0.05 a logistic regression
    (balanced classes) on embedding and one-hot names of the two models, learnt from pairs with unequal scores
    in both orders. Other than theirs, for time: scikit-learn's forest of 200 exact trees would take an hour
    and a half; LightGBM grows 100 of them, each on 63.2 % of the prompts (what a bootstrap sample holds),
    splits between 15 bins a feature; and of the pairs 30,000 are learnt from. Their other cells vary
    classifier and gap: a forest at 0.08, an MLP at 0.12.
    """
    forest = {
        "boosting": "rf",
        "num_leaves": 1024,
        "max_depth": 25,
        "min_data_in_leaf": 5,
        "bagging_fraction": 0.632,
        "bagging_freq": 1,
        "max_bin": 15,
        "num_threads": threads,
    }
    return with_selector(boosted(vectors, scores, new, forest, trees=100), vectors, scores, new)


def cargo_careful(vectors: Array, scores: Floats, new: Array, threads: int) -> Fitted:
    """Route as CARGO does, with careful boosters in the place of its forests.

    The forests, too, follow the noise of pass and fail. The classifier knows the prompt only in the same way
    for all models, so it prefers whichever of the two is better on average: what it gains, breaking the ties
    by the mean in training gains as well.
    """
    return with_selector(lightgbm_per_model(vectors, scores, new, threads).predicted, vectors, scores, new)


def with_selector(predicted: Floats, vectors: Array, scores: Floats, new: Array) -> Fitted:
    """Let the classifier swap the highest two of [n, m] predictions where they are closer than TAU."""
    first, second = np.argsort(-predicted, axis=1, kind="stable")[:, :2].T
    rows = np.arange(len(new))
    high, low = predicted[rows, first], predicted[rows, second]
    asked = high - low < TAU
    swapped = asked & (selector(vectors, scores)(new, first, second) < 0.5)
    predicted[rows[swapped], first[swapped]] = low[swapped]
    predicted[rows[swapped], second[swapped]] = high[swapped]
    return Fitted(predicted, asked)


def selector(
    vectors: Array, scores: Floats
) -> Callable[[Array, NDArray[np.int64], NDArray[np.int64]], Floats]:
    """Return P(first beats second | prompt, first, second), learnt from pairs with unequal scores."""
    from sklearn.linear_model import LogisticRegression

    n, m = scores.shape
    rows, a, b = (index.ravel() for index in np.indices((n, m, m)))
    unequal = np.abs(scores[rows, a] - scores[rows, b]) > 0
    chosen = np.random.default_rng(0).permutation(np.flatnonzero(unequal))[:_PAIRS]
    rows, a, b = rows[chosen], a[chosen], b[chosen]
    names = np.eye(m, dtype=np.float32)
    model = LogisticRegression(max_iter=1000, class_weight="balanced", tol=1e-3)
    model.fit(np.hstack([vectors[rows], names[a], names[b]]), scores[rows, a] > scores[rows, b])

    def wins(new: Array, first: NDArray[np.int64], second: NDArray[np.int64]) -> Floats:
        return model.predict_proba(np.hstack([new, names[first], names[second]]))[:, 1]

    return wins


def boosted(
    vectors: Array, scores: Floats, new: Array, parameters: dict[str, object], *, trees: int = _TREES
) -> Floats:
    """Return the predictions of one booster a model, [n, m]."""
    import lightgbm

    columns = []
    for column in scores.T:
        known = np.isfinite(column)
        settings = {"objective": "regression", "max_bin": 63, "seed": 0, "verbosity": -1, **parameters}
        data = lightgbm.Dataset(vectors[known], column[known], params=settings)
        columns.append(lightgbm.train(settings, data, num_boost_round=trees).predict(new))
    return np.column_stack(columns)


BASELINES: dict[str, Callable[[Array, Floats, Array, int], Fitted]] = {
    "kNN-300": knn,
    "winner": winner,
    "LightGBM": lightgbm_per_model,
    "LightGBM centred": lightgbm_centred,
    "CARGO": cargo,
    "CARGO careful": cargo_careful,
}
