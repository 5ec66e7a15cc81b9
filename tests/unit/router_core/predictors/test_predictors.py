import numpy as np
import pytest

from router_core.features.prompt_features import PromptFeatures
from router_core.features.representation import Representation
from router_core.features.surface import FEATURES, surface_features
from router_core.predictors.category_classifier import SoftmaxClassifier
from router_core.predictors.ensemble import PARTS, SMALL_TRAINING_SET, Predictions, blend_weights
from router_core.predictors.gradient_boosting import CategoryRegressors, Regressors
from router_core.predictors.group_means import cluster_labels, finest_labels, shrunken_means
from router_core.predictors.knn import SHRINKAGE, KNearestNeighbours, knn_inputs
from router_core.predictors.linear import with_intercept
from router_core.predictors.pairwise import PairwiseClassifier
from router_core.predictors.scored_prompts import PreferencePairs, ScoredPrompts

NAN = float("nan")


def ones(n):
    return np.ones(n, dtype=np.float32)


def feature(text, name):
    return surface_features([text])[0][FEATURES.index(name)]


def test_surface_features_measure_digits_code_options_and_questions():
    assert feature("12ab", "digits") == 0.5
    assert feature("f(x); {}", "code") == pytest.approx(5 / 8)
    assert feature("Which?\nA) one\nB) two", "log_options") == pytest.approx(np.log1p(2))
    assert feature("Why?", "question_at_end") == 1
    assert feature("ä", "not_ascii") == 1


@pytest.mark.parametrize("text", ["", "\ud800", "\x00", "a" * 100_000])
def test_any_text_has_finite_features(text):
    assert np.isfinite(surface_features([text])).all()


def test_the_representation_of_identical_prompts_is_finite_and_equal():
    vectors, texts = np.ones((3, 4), dtype=np.float32), ["same"] * 3
    features = PromptFeatures.of(vectors, texts)
    representation = Representation.fit(features).transform(features)
    assert np.isfinite(representation).all()
    assert (representation == representation[0]).all()


def test_an_intercept_is_a_last_column_of_ones():
    inputs = np.array([[2, 3], [4, 5]], dtype=np.float32)
    assert with_intercept(inputs).tolist() == [[2, 3, 1], [4, 5, 1]]
    assert with_intercept(inputs).dtype == np.float32


def test_the_classifier_gives_probabilities_over_the_categories_it_was_trained_on():
    inputs = np.repeat(np.eye(3, dtype=np.float32), 20, axis=0)
    labels = ["a"] * 20 + ["b"] * 20 + [None] * 17 + ["rare"] * 3
    classifier = SoftmaxClassifier.fit(inputs, labels)
    posterior = classifier.posterior(inputs)
    assert classifier.categories == ("a", "b")
    np.testing.assert_allclose(posterior.sum(axis=1), 1, rtol=1e-5)
    assert (posterior[:20, 0] > 0.9).all()


def test_means_of_small_groups_are_shrunk_toward_0_and_unknown_residuals_are_left_out():
    weights = np.array([[1, 0]] * 100 + [[0, 1]] * 2, dtype=np.float32)
    residuals = np.full((102, 2), 0.5, dtype=np.float32)
    residuals[:50, 1] = NAN
    means = shrunken_means(weights, residuals)
    assert means[0, 0] > means[0, 1] > means[1, 0] > 0


def test_prompts_without_tasks_are_clustered_and_tasks_are_used_where_given():
    inputs = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    clusters = cluster_labels(inputs, seed=0)
    assert clusters == cluster_labels(inputs, seed=0)
    assert len(set(clusters)) == 5
    assert finest_labels(["x", "y"] * 100, clusters)[:2] == ["x", "y"]
    assert finest_labels([None] * 200, clusters) == clusters


def test_neighbours_are_weighted_by_the_distances_that_faiss_finds():
    random = np.random.default_rng(5)
    labelled, queries = (random.normal(size=(n, 6)).astype(np.float32) for n in (800, 30))
    residuals, weights = random.normal(size=(800, 3)).astype(np.float32), ones(800) * 0.5
    residuals[random.random(residuals.shape) < 0.2] = np.nan
    knn = KNearestNeighbours(labelled, residuals, weights)
    distances, rows = knn.neighbours(queries, 100)
    kernel = (1 - distances / distances[:, -1:])[:, :, None] * weights[rows][:, :, None]
    totals = (kernel * np.nan_to_num(residuals)[rows]).sum(axis=1)
    expected = totals / ((kernel * np.isfinite(residuals)[rows]).sum(axis=1) + SHRINKAGE)
    np.testing.assert_allclose(knn.predict(queries), expected, atol=1e-5)


def test_predictions_come_from_the_nearest_prompts_and_ignore_unknown_scores():
    inputs = np.repeat(np.array([[0.0], [9.0]], dtype=np.float32), 100, axis=0)
    inputs += np.linspace(0, 1, 200, dtype=np.float32)[:, None]
    residuals = np.repeat(np.array([[1, NAN], [-1, 1]], dtype=np.float32), 100, axis=0)
    near, far = KNearestNeighbours(inputs, residuals, ones(200)).predict(
        np.array([[0.2], [9.7]], dtype=np.float32)
    )
    assert near[0] > 0.5
    assert near[1] == 0
    assert (far[0] < -0.5, far[1] > 0.5) == (True, True)


def test_a_large_chunk_is_predicted_as_in_small_ones():
    random = np.random.default_rng(0)
    knn = KNearestNeighbours(*(random.normal(size=(400, 4)).astype(np.float32) for _ in range(2)), ones(400))
    queries = random.normal(size=(1100, 4)).astype(np.float32)
    np.testing.assert_allclose(knn.predict(queries)[700:710], knn.predict(queries[700:710]), atol=1e-6)


def test_a_model_with_too_few_or_constant_scores_gets_no_regressor():
    inputs = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    residuals = np.stack([inputs[:, 0], np.zeros(200), np.where(np.arange(200) < 20, 1.0, NAN)], axis=1)
    fitted = Regressors.fit(inputs, residuals.astype(np.float32), ones(200), seed=0, threads=1)
    assert [text != "" for text in fitted.texts] == [True, False, False]
    predicted = fitted.predict(inputs)
    assert np.corrcoef(predicted[:, 0], inputs[:, 0])[0, 1] > 0.9
    assert not predicted[:, 1:].any()


def test_a_categorys_regressors_touch_only_its_own_prompts():
    inputs = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)
    category = np.repeat([0, 1], [390, 10])
    fitted = CategoryRegressors.fit(inputs, inputs, ones(400), category, seed=0, threads=1)
    assert set(fitted.by_category) == {0}
    overall = np.zeros((400, 3), dtype=np.float32)
    predicted = fitted.predict(inputs, overall, category)
    assert predicted[:390].any()
    assert not predicted[390:].any()


def parts_of(**given):
    """Return parts [parts, n, m]; those that are not given predict 0."""
    first = next(iter(given.values()))
    return np.stack([given.get(name, np.zeros_like(first)) for name in PARTS])


def weights_of(residuals, weights=None, **given):
    parts = parts_of(**given)
    fitted = blend_weights(parts, residuals, ones(len(residuals)) if weights is None else weights)
    return dict(zip(PARTS, fitted, strict=True))


def test_the_blend_is_half_an_even_one_and_half_the_best_fitting_one():
    random = np.random.default_rng(0)
    residuals, noise = (random.normal(size=(2000, 3)).astype(np.float32) for _ in range(2))
    weights = weights_of(residuals, memory=residuals / 2, linear=residuals + noise)
    # The best fit takes the first alone, twice. The even blend scales it by 2 and the noisy one by 1/2,
    # halves both, and is then 1.2 times too small: (2 / 2 * 1.2 + 2) / 2 and (1/2 / 2 * 1.2 + 0) / 2.
    assert weights["memory"] == pytest.approx(1.6, abs=0.05)
    assert weights["linear"] == pytest.approx(0.15, abs=0.02)


def test_each_part_is_scaled_to_the_residuals():
    residuals = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    half, double = (residuals * factor for factor in (0.5, 2.0))
    residuals[::7, 0] = NAN
    assert weights_of(residuals, memory=half)["memory"] == pytest.approx(2, abs=0.01)
    assert weights_of(residuals, linear=double)["linear"] == pytest.approx(0.5, abs=0.01)


def test_parts_that_are_noise_or_wrong_get_no_weight():
    random = np.random.default_rng(0)
    residuals, noise = (random.normal(size=(500, 3)).astype(np.float32) for _ in range(2))
    weights = weights_of(residuals, cluster_means=noise, memory=residuals, linear=-residuals)
    assert weights["memory"] == pytest.approx(1, abs=0.02)
    assert weights["cluster_means"] == pytest.approx(0, abs=0.03)
    assert weights["linear"] == 0
    assert not any(weights_of(residuals, linear=-residuals).values())


def test_parts_are_scaled_by_the_weighted_prompts():
    residuals = np.repeat(np.array([[1.0], [-1.0]], dtype=np.float32), 50, axis=0)
    counts = np.repeat(np.array([1.0, 0.0], dtype=np.float32), 50)
    assert weights_of(residuals, counts, memory=np.ones((100, 1), np.float32))["memory"] == pytest.approx(1)


@pytest.fixture(scope="module")
def scored():
    random = np.random.default_rng(0)
    blended = random.normal(size=(600, 3)).astype(np.float32)
    predictions = Predictions(np.zeros((600, 0), dtype=np.float32), blended[None])
    return ScoredPrompts(random.normal(size=(600, 4)).astype(np.float32), predictions, blended)


@pytest.fixture(scope="module")
def classifier(scored):
    # Model 0 beats the others exactly where the first coordinate of the prompt is positive.
    scores = np.stack([np.sign(scored.representation[:, 0]), np.zeros(600), np.zeros(600)], axis=1)
    return PairwiseClassifier.fit(scored, scores, ones(600))


def test_the_classifier_is_antisymmetric(scored, classifier):
    rows, a, b = np.arange(600), np.zeros(600, dtype=int), np.ones(600, dtype=int)
    forward, backward = (
        classifier.win_probability(scored, rows, a, b),
        classifier.win_probability(scored, rows, b, a),
    )
    np.testing.assert_allclose(forward + backward, 1, atol=1e-6)


def test_the_classifier_learns_from_the_prompt_which_model_wins(scored, classifier):
    rows = np.arange(600)
    wins = classifier.win_probability(scored, rows, np.zeros(600, dtype=int), np.ones(600, dtype=int)) > 0.5
    assert np.mean(wins == (scored.representation[:, 0] > 0)) > 0.95


@pytest.mark.parametrize("factor", [0.01, 100.0])
def test_scaling_the_scores_changes_no_probability(scored, factor):
    random, rows = np.random.default_rng(1), np.arange(600)
    scores = scored.blended + random.normal(size=(600, 3))
    scaled = ScoredPrompts(
        scored.representation,
        Predictions(scored.predictions.posterior, factor * scored.predictions.parts),
        factor * scored.blended,
    )
    usual = PairwiseClassifier.fit(scored, scores, ones(600)).win_probability(
        scored, rows, 0 * rows, 0 * rows + 1
    )
    rescaled = PairwiseClassifier.fit(scaled, factor * scores, ones(600)).win_probability(
        scaled, rows, 0 * rows, 0 * rows + 1
    )
    assert np.ptp(usual) > 0.5
    np.testing.assert_allclose(rescaled, usual, atol=0.005)


def test_without_unequal_pairs_every_probability_is_one_half(scored):
    classifier = PairwiseClassifier.fit(scored, np.ones((600, 3)), ones(600))
    rows = np.arange(3)
    assert classifier.win_probability(scored, rows, rows, rows).tolist() == [0.5] * 3


def test_pairs_are_of_the_scored_models_with_the_highest_predictions_and_none_are_tied():
    scores = np.array([[1.0, 0.0, NAN, 1.0], [0.0, 0.0, 0.0, 1.0]])
    pairs = PreferencePairs.of(scores, np.array([[0.4, 0.3, 0.9, 0.1]] * 2), top_k=3)
    assert np.column_stack([pairs.rows, pairs.a, pairs.b, pairs.won]).tolist() == [[0, 0, 1, 1], [0, 1, 3, 0]]


def test_prompts_of_the_same_task_are_neighbours_before_others():
    representation, tasks = (
        np.random.default_rng(0).normal(size=(100, 2)) / 9,
        np.repeat(np.eye(2), 50, axis=0),
    )
    residuals = np.repeat([[1.0], [-1.0]], 50, axis=0)
    knn = KNearestNeighbours(
        *(array.astype(np.float32) for array in (knn_inputs(representation, tasks), residuals)), ones(100)
    )
    likely = np.array([[0.9, 0.1], [0.1, 0.9]])
    first, second = knn.predict(knn_inputs(np.zeros((2, 2)), likely).astype(np.float32))
    assert second[0] < 0 < first[0]


def test_a_neighbour_counts_as_much_as_its_weight():
    inputs = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    residuals = np.repeat(np.array([[1.0], [-1.0]], dtype=np.float32), 50, axis=0)
    weights = np.repeat(np.array([0.01, 1.99], dtype=np.float32), 50)
    assert (KNearestNeighbours(inputs, residuals, weights).predict(inputs) < 0).mean() > 0.9


@pytest.mark.parametrize(("prompts", "counts"), [(SMALL_TRAINING_SET - 1, True), (SMALL_TRAINING_SET, False)])
def test_means_by_category_count_while_prompts_are_too_few_for_clusters(prompts: int, counts: bool) -> None:
    random = np.random.default_rng(0)
    residuals = random.normal(size=(prompts, 3)).astype(np.float32)
    parts = np.stack([residuals + random.normal(size=residuals.shape) for _ in PARTS]).astype(np.float32)
    weights = blend_weights(parts, residuals, np.ones(prompts, dtype=np.float32))
    assert (weights[PARTS.index("category_means")] > 0) == counts
    assert weights[PARTS.index("cluster_means")] > 0
