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
from router_core.predictors.pairwise import PairwiseClassifier
from router_core.predictors.scored_prompts import PreferencePairs, ScoredPrompts

NAN = float("nan")


def ones(n):
    return np.ones(n, dtype=np.float32)


def feature(text, name):
    return surface_features([text])[0][FEATURES.index(name)]


def test_surface_features_tell_digits_code_options_and_questions():
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
    read = PromptFeatures.of(vectors, texts)
    points = Representation.fit(read).transform(read)
    assert np.isfinite(points).all()
    assert (points == points[0]).all()


def test_the_detector_gives_probabilities_over_the_categories_it_knows():
    points = np.repeat(np.eye(3, dtype=np.float32), 20, axis=0)
    labels = ["a"] * 20 + ["b"] * 20 + [None] * 17 + ["rare"] * 3
    detector = SoftmaxClassifier.fit(points, labels)
    posterior = detector.posterior(points)
    assert detector.categories == ("a", "b")
    np.testing.assert_allclose(posterior.sum(axis=1), 1, rtol=1e-5)
    assert (posterior[:20, 0] > 0.9).all()


def test_means_of_small_groups_are_drawn_toward_nothing_and_gaps_are_left_out():
    weights = np.array([[1, 0]] * 100 + [[0, 1]] * 2, dtype=np.float32)
    additions = np.full((102, 2), 0.5, dtype=np.float32)
    additions[:50, 1] = NAN
    means = shrunken_means(weights, additions)
    assert means[0, 0] > means[0, 1] > means[1, 0] > 0


def test_prompts_without_tasks_are_clustered_and_tasks_are_used_where_given():
    points = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    clusters = cluster_labels(points, seed=0)
    assert clusters == cluster_labels(points, seed=0)
    assert len(set(clusters)) == 5
    assert finest_labels(["x", "y"] * 100, clusters)[:2] == ["x", "y"]
    assert finest_labels([None] * 200, clusters) == clusters


def test_the_memory_weighs_the_nearest_prompts_that_faiss_finds():
    random = np.random.default_rng(5)
    rows, asked = (random.normal(size=(n, 6)).astype(np.float32) for n in (800, 30))
    additions, weights = random.normal(size=(800, 3)).astype(np.float32), ones(800) * 0.5
    additions[random.random(additions.shape) < 0.2] = np.nan
    memory = KNearestNeighbours(rows, additions, weights)
    distances, found = memory.neighbours(asked, 100)
    kernel = (1 - distances / distances[:, -1:])[:, :, None] * weights[found][:, :, None]
    totals = (kernel * np.nan_to_num(additions)[found]).sum(axis=1)
    expected = totals / ((kernel * np.isfinite(additions)[found]).sum(axis=1) + SHRINKAGE)
    np.testing.assert_allclose(memory.predict(asked), expected, atol=1e-5)


def test_the_memory_answers_by_the_nearest_prompts_and_ignores_unknown_scores():
    points = np.repeat(np.array([[0.0], [9.0]], dtype=np.float32), 100, axis=0)
    points += np.linspace(0, 1, 200, dtype=np.float32)[:, None]
    additions = np.repeat(np.array([[1, NAN], [-1, 1]], dtype=np.float32), 100, axis=0)
    near, far = KNearestNeighbours(points, additions, ones(200)).predict(
        np.array([[0.2], [9.7]], dtype=np.float32)
    )
    assert near[0] > 0.5
    assert near[1] == 0
    assert (far[0] < -0.5, far[1] > 0.5) == (True, True)


def test_a_large_chunk_is_remembered_as_in_small_ones():
    random = np.random.default_rng(0)
    memory = KNearestNeighbours(
        *(random.normal(size=(400, 4)).astype(np.float32) for _ in range(2)), ones(400)
    )
    asked = random.normal(size=(1100, 4)).astype(np.float32)
    np.testing.assert_allclose(memory.predict(asked)[700:710], memory.predict(asked[700:710]), atol=1e-6)


def test_a_model_with_too_few_or_constant_scores_gets_no_regressor():
    points = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    additions = np.stack([points[:, 0], np.zeros(200), np.where(np.arange(200) < 20, 1.0, NAN)], axis=1)
    fitted = Regressors.fit(points, additions.astype(np.float32), ones(200), seed=0, threads=1)
    assert [text != "" for text in fitted.texts] == [True, False, False]
    predicted = fitted.predict(points)
    assert np.corrcoef(predicted[:, 0], points[:, 0])[0, 1] > 0.9
    assert not predicted[:, 1:].any()


def test_a_categorys_regressors_touch_only_its_own_prompts():
    points = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)
    category = np.repeat([0, 1], [390, 10])
    fitted = CategoryRegressors.fit(points, points, ones(400), category, seed=0, threads=1)
    assert set(fitted.by_category) == {0}
    overall = np.zeros((400, 3), dtype=np.float32)
    predicted = fitted.predict(points, overall, category)
    assert predicted[:390].any()
    assert not predicted[390:].any()


def parts_of(**given):
    """Return parts [parts, n, m] of which only those given predict anything."""
    some = next(iter(given.values()))
    return np.stack([given.get(name, np.zeros_like(some)) for name in PARTS])


def blended(additions, weights=None, **given):
    parts = parts_of(**given)
    found = blend_weights(parts, additions, ones(len(additions)) if weights is None else weights)
    return dict(zip(PARTS, found, strict=True))


def test_the_blend_is_half_an_even_one_and_half_the_best_fitting_one():
    random = np.random.default_rng(0)
    additions, noise = (random.normal(size=(2000, 3)).astype(np.float32) for _ in range(2))
    weights = blended(additions, memory=additions / 2, linear=additions + noise)
    # The best fit takes the first alone, twice. The even blend scales it by 2 and the noisy one by 1/2,
    # halves both, and is then 1.2 times too small: (2 / 2 * 1.2 + 2) / 2 and (1/2 / 2 * 1.2 + 0) / 2.
    assert weights["memory"] == pytest.approx(1.6, abs=0.05)
    assert weights["linear"] == pytest.approx(0.15, abs=0.02)


def test_each_learner_is_brought_to_the_scale_of_the_labels():
    additions = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    half, double = (additions * factor for factor in (0.5, 2.0))
    additions[::7, 0] = NAN
    assert blended(additions, memory=half)["memory"] == pytest.approx(2, abs=0.01)
    assert blended(additions, linear=double)["linear"] == pytest.approx(0.5, abs=0.01)


def test_learners_that_are_noise_or_wrong_get_no_weight():
    random = np.random.default_rng(0)
    additions, noise = (random.normal(size=(500, 3)).astype(np.float32) for _ in range(2))
    weights = blended(additions, cluster_means=noise, memory=additions, linear=-additions)
    assert weights["memory"] == pytest.approx(1, abs=0.02)
    assert weights["cluster_means"] == pytest.approx(0, abs=0.03)
    assert weights["linear"] == 0
    assert not any(blended(additions, linear=-additions).values())


def test_learners_are_scaled_by_the_prompts_that_count():
    additions = np.repeat(np.array([[1.0], [-1.0]], dtype=np.float32), 50, axis=0)
    counts = np.repeat(np.array([1.0, 0.0], dtype=np.float32), 50)
    assert blended(additions, counts, memory=np.ones((100, 1), np.float32))["memory"] == pytest.approx(1)


@pytest.fixture(scope="module")
def scored():
    random = np.random.default_rng(0)
    blended = random.normal(size=(600, 3)).astype(np.float32)
    predictions = Predictions(np.zeros((600, 0), dtype=np.float32), blended[None])
    return ScoredPrompts(random.normal(size=(600, 4)).astype(np.float32), predictions, blended)


@pytest.fixture(scope="module")
def fallback(scored):
    # Model 0 beats the others exactly where the first coordinate of the prompt is positive.
    scores = np.stack([np.sign(scored.representation[:, 0]), np.zeros(600), np.zeros(600)], axis=1)
    return PairwiseClassifier.fit(scored, scores, ones(600))


def test_the_classifier_is_antisymmetric(scored, fallback):
    rows, a, b = np.arange(600), np.zeros(600, dtype=int), np.ones(600, dtype=int)
    forward, backward = (
        fallback.win_probability(scored, rows, a, b),
        fallback.win_probability(scored, rows, b, a),
    )
    np.testing.assert_allclose(forward + backward, 1, atol=1e-6)


def test_the_classifier_learns_who_wins_from_the_prompt(scored, fallback):
    rows = np.arange(600)
    wins = fallback.win_probability(scored, rows, np.zeros(600, dtype=int), np.ones(600, dtype=int)) > 0.5
    assert np.mean(wins == (scored.representation[:, 0] > 0)) > 0.95


@pytest.mark.parametrize("unit", [0.01, 100.0])
def test_the_classifier_learns_the_same_whatever_the_unit_of_the_scores(scored, unit):
    random, rows = np.random.default_rng(1), np.arange(600)
    scores = scored.blended + random.normal(size=(600, 3))
    larger = ScoredPrompts(
        scored.representation,
        Predictions(scored.predictions.posterior, unit * scored.predictions.parts),
        unit * scored.blended,
    )
    usual = PairwiseClassifier.fit(scored, scores, ones(600)).win_probability(
        scored, rows, 0 * rows, 0 * rows + 1
    )
    found = PairwiseClassifier.fit(larger, unit * scores, ones(600)).win_probability(
        larger, rows, 0 * rows, 0 * rows + 1
    )
    assert np.ptp(usual) > 0.5
    np.testing.assert_allclose(found, usual, atol=0.005)


def test_without_unequal_pairs_the_classifier_is_undecided(scored):
    fallback = PairwiseClassifier.fit(scored, np.ones((600, 3)), ones(600))
    rows = np.arange(3)
    assert fallback.win_probability(scored, rows, rows, rows).tolist() == [0.5] * 3


def test_pairs_are_of_the_judged_models_with_the_highest_scores_and_none_are_tied():
    scores = np.array([[1.0, 0.0, NAN, 1.0], [0.0, 0.0, 0.0, 1.0]])
    pairs = PreferencePairs.of(scores, np.array([[0.4, 0.3, 0.9, 0.1]] * 2), top_k=3)
    assert np.column_stack([pairs.rows, pairs.a, pairs.b, pairs.won]).tolist() == [[0, 0, 1, 1], [0, 1, 3, 0]]


def test_prompts_of_the_same_task_are_neighbours_before_others():
    points, tasks = np.random.default_rng(0).normal(size=(100, 2)) / 9, np.repeat(np.eye(2), 50, axis=0)
    additions = np.repeat([[1.0], [-1.0]], 50, axis=0)
    memory = KNearestNeighbours(
        *(array.astype(np.float32) for array in (knn_inputs(points, tasks), additions)), ones(100)
    )
    likely = np.array([[0.9, 0.1], [0.1, 0.9]])
    first, second = memory.predict(knn_inputs(np.zeros((2, 2)), likely).astype(np.float32))
    assert second[0] < 0 < first[0]


def test_a_neighbour_counts_as_much_as_its_weight():
    points = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    additions = np.repeat(np.array([[1.0], [-1.0]], dtype=np.float32), 50, axis=0)
    weights = np.repeat(np.array([0.01, 1.99], dtype=np.float32), 50)
    assert (KNearestNeighbours(points, additions, weights).predict(points) < 0).mean() > 0.9


@pytest.mark.parametrize(("prompts", "counts"), [(SMALL_TRAINING_SET - 1, True), (SMALL_TRAINING_SET, False)])
def test_means_by_category_count_while_prompts_are_too_few_for_clusters(prompts: int, counts: bool) -> None:
    random = np.random.default_rng(0)
    additions = random.normal(size=(prompts, 3)).astype(np.float32)
    parts = np.stack([additions + random.normal(size=additions.shape) for _ in PARTS]).astype(np.float32)
    weights = blend_weights(parts, additions, np.ones(prompts, dtype=np.float32))
    assert (weights[PARTS.index("category_means")] > 0) == counts
    assert weights[PARTS.index("cluster_means")] > 0
