"""Training of a router on labelled prompts and their vectors.

The hyperparameters (blend weights, tau, margins, cost weight) are chosen on inner folds, split by prompt. All
predictors are fitted on all prompts; only the pairwise classifier is fitted on out-of-fold predictions.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.data.categories import read_sample
from router_core.data.labelled_prompts import LabelledPrompt, cost_matrix, model_names
from router_core.data.prompt_hash import prompt_hash
from router_core.data.prompt_hashes import PromptHashSet
from router_core.data.repeats import without_repeats
from router_core.data.splits import assign_folds
from router_core.embedding.spec import EmbedderSpec
from router_core.errors import LabelsError
from router_core.features.prompt_features import PromptFeatures
from router_core.features.representation import Representation
from router_core.hyperparameters import Hyperparameters
from router_core.monitoring.drift_reference import DriftReference
from router_core.predictors.category_classifier import SoftmaxClassifier
from router_core.predictors.category_examples import CategoryTrainingData, LabelledFeatures
from router_core.predictors.ensemble import Ensemble
from router_core.predictors.expected_costs import ExpectedCosts
from router_core.predictors.knn import LabelledIds
from router_core.predictors.pairwise import PairwiseClassifier
from router_core.predictors.storage import Predictors
from router_core.router import Router
from router_core.training.answer_lengths import with_answer_tokens
from router_core.training.shift_tuning import with_shift_guard
from router_core.training.steps import numbered
from router_core.training.tuning import TuningResult, tune
from router_core.training.tuning_data import TuningData

Array = NDArray[np.float32]

INNER_FOLDS = 5
#: With fewer distinct prompts the folds are too small to tune on, and the router uses no predictions.
MIN_PROMPTS = 80


def train(
    rows: Iterable[LabelledPrompt],
    vectors: Array,
    *,
    embedder_id: str,
    embedder_fingerprint: str,
    embedder_files: Mapping[str, bytes] | None = None,
    weights: NDArray[np.floating] | None = None,
    priors: Mapping[str, float] | None = None,
    sample_vectors: Array | None = None,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[str], None] = lambda _: None,
) -> Router:
    """Train a router.

    The same rows, vectors and seed give the same router, in whatever order the rows come.

    Args:
        rows: The labelled prompts.
        vectors: Their vectors, float32 [n, d], in the order of the rows.
        embedder_id: The hub id or path of the embedding model; `embedder_fingerprint` and `embedder_files`
            are `Embedder.fingerprint` and `Embedder.embedder_files()`.
        weights: The weights of the rows, [n], by default all equal; only their ratios matter.
        priors: The expected mean scores by model, which matter where there are few labels.
        sample_vectors: The vectors of `read_sample()`; without them only the rows' own categories are known.
        seed: The seed of the folds, the clusters and the regressors.
        progress: Called with the name of each step.

    Raises:
        LabelsError: No row has a score.
        ValueError: Vectors or weights do not match the rows, or the weights are invalid.
    """
    rows = list(rows)
    models = model_names(rows)
    weights = _weights(weights, len(rows))
    _check(rows, vectors, models)
    rows, vectors, weights = without_repeats(rows, vectors, weights)
    rows, vectors, weights = _in_hash_order(rows, vectors, weights)
    features = PromptFeatures.of(vectors, [row.prompt for row in rows])
    projection = Representation.fit(features)
    representation = projection.transform(features)
    fold = _folds([row.prompt for row in rows], seed)
    category_data = _category_data(rows, features, sample_vectors)
    classifier = category_data.fit_classifier()
    posterior = category_data.posterior(classifier, fold)
    data = TuningData.of(
        rows,
        models,
        features.vectors,
        representation,
        posterior,
        weights,
        fold,
        priors or {},
        seed=seed,
        threads=threads,
    )
    is_tuned = len(set(data.fold)) == INNER_FOLDS and len(models) > 1
    progress = numbered(progress, INNER_FOLDS + 3 if is_tuned else 1)
    progress("fitting on all prompts")
    router = Router(
        models=models,
        embedder=EmbedderSpec(embedder_id, embedder_fingerprint, int(vectors.shape[1]), embedder_files or {}),
        prior=data.prior,
        predictors=_predictors(rows, models, projection, classifier, data),
        hyperparameters=Hyperparameters.conservative(data.score_range),
        training_prompts=PromptHashSet.of(row.prompt for row in rows),
        training=_record(rows, seed),
        labelled_ids=LabelledIds.of(row.id for row in rows),
        drift_reference=_drift_reference(rows, vectors, classifier, posterior),
    )
    router = with_answer_tokens(router, data.representation, rows)
    if is_tuned:
        data = _with_expected_costs(data, router, rows)
        result = tune(router, data, progress=progress)
        progress("kinds left out")
        router = with_shift_guard(_with_tuning(router, result), data, result)
    return replace(router, version=router.version_if_saved())


def _check(rows: Sequence[LabelledPrompt], vectors: Array, models: Sequence[str]) -> None:
    if not models:
        raise LabelsError("no row has a score: there is nothing to learn from")
    if vectors.ndim != 2 or len(vectors) != len(rows):
        raise ValueError(f"vectors have shape {vectors.shape} for {len(rows)} rows")


def _weights(weights: NDArray[np.floating] | None, rows: int) -> Array:
    """Return the weights scaled to a mean of 1."""
    given = np.ones(rows) if weights is None else np.asarray(weights, dtype=np.float64)
    if given.shape != (rows,):
        raise ValueError(f"weights have shape {given.shape} for {rows} rows")
    if not (np.isfinite(given).all() and (given >= 0).all() and given.any()):
        raise ValueError("weights must be finite, not below 0, and not all 0")
    return np.asarray(given / given.mean(), dtype=np.float32)


def _in_hash_order(
    rows: Sequence[LabelledPrompt], vectors: Array, weights: Array
) -> tuple[list[LabelledPrompt], Array, Array]:
    """Return rows, vectors and weights sorted by prompt hash, as bagging and sums depend on the order."""
    keys = [(prompt_hash(row.prompt), row.prompt, row.id) for row in rows]
    order = sorted(range(len(rows)), key=keys.__getitem__)
    return [rows[row] for row in order], vectors[order], weights[order]


def _category_data(
    rows: Sequence[LabelledPrompt], features: PromptFeatures, sample_vectors: Array | None
) -> CategoryTrainingData:
    """Return the training data of the category classifier."""
    labelled = LabelledFeatures(features.category_inputs(), tuple(row.category for row in rows))
    return CategoryTrainingData.choose(
        labelled, None if sample_vectors is None else LabelledFeatures.of(read_sample(), sample_vectors)
    )


def _folds(prompts: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Return the inner fold of each prompt; all are in one fold if there are too few of them."""
    enough = len({prompt_hash(prompt) for prompt in prompts}) >= MIN_PROMPTS
    return assign_folds(prompts, folds=INNER_FOLDS if enough else 1, seed=seed)


def _predictors(
    rows: Sequence[LabelledPrompt],
    models: Sequence[str],
    projection: Representation,
    classifier: SoftmaxClassifier,
    data: TuningData,
) -> Predictors:
    """Fit all predictors but the pairwise classifier, which needs out-of-fold predictions."""
    ensemble = Ensemble.fit(
        data.representation, data.posterior, data.labels, seed=data.seed, threads=data.threads
    )
    task_probabilities, texts = ensemble.task_probabilities(data.representation), [row.prompt for row in rows]
    costs = ExpectedCosts.fit(task_probabilities, texts, cost_matrix(rows, models))
    return Predictors(projection, classifier, ensemble, PairwiseClassifier.uninformative(), costs)


def _drift_reference(
    rows: Sequence[LabelledPrompt], vectors: Array, classifier: SoftmaxClassifier, posterior: Array
) -> DriftReference | None:
    """Return the distribution of the distinct prompts; sorted by hash, they are in random order."""
    _, first = np.unique([prompt_hash(row.prompt) for row in rows], return_index=True)
    decided = classifier.decide(posterior[first])
    return DriftReference.of(vectors[first], decided, categories=len(classifier.categories))


def _with_expected_costs(data: TuningData, router: Router, rows: Sequence[LabelledPrompt]) -> TuningData:
    """Return the data with the router's expected costs, if it has them for every model."""
    task_probabilities = router.predictors.ensemble.task_probabilities(data.representation)
    expected = router.predictors.costs.predict(task_probabilities, [row.prompt for row in rows])
    return replace(data, expected_costs=expected) if np.isfinite(expected).all() else data


def _with_tuning(router: Router, result: TuningResult) -> Router:
    trials = {name: [asdict(trial) for trial in trials] for name, trials in result.record["trials"].items()}
    return replace(
        router,
        predictors=replace(router.predictors, pairwise=result.pairwise),
        hyperparameters=result.hyperparameters,
        training={**router.training, **result.record, "trials": trials},
    )


def _record(rows: Sequence[LabelledPrompt], seed: int) -> dict[str, Any]:
    """Return the entries on the training data for the manifest; `fingerprint` is a hash of all prompts."""
    prompts = sorted({prompt_hash(row.prompt) for row in rows})
    return {
        "seed": seed,
        "rows": len(rows),
        "prompts": len(prompts),
        "fingerprint": hashlib.sha256("".join(prompts).encode()).hexdigest(),
        "rows_by_category": dict(sorted(Counter(row.category or "" for row in rows).items())),
        "scores_by_model": dict(sorted(Counter(model for row in rows for model in row.scores).items())),
    }
