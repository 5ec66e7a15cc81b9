"""Prompts unlike the labelled ones take the best single model; without the guard nothing changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from router_core.decisions import Reason
from router_core.policy.preferences import POLICIES
from router_core.predictors.novelty import GroupGaussians, NoveltyMeasure, neighbour_signals
from router_core.router import Router
from router_core.training.deviation_tests import Trial
from router_core.training.shift_batches import LEAST_AUC, ShiftBatches, rows_of_others
from router_core.training.shift_estimates import LENIENT_THRESHOLD, Estimates
from router_core.training.shift_tuning import THRESHOLDS

FAR = 1e4
COSTS = (0.002, 0.001, 0.003)


def far_prompts(count, dimension=8):
    """Return vectors that are far from all labelled ones, each in another direction, and texts."""
    directions = np.random.default_rng(5).normal(size=(count, dimension))
    return (FAR * directions).astype(np.float32), [f"something else {index}" for index in range(count)]


@pytest.fixture(scope="module")
def several_kinds(make_rows):
    """Return labelled prompts of six tasks, three of coding and three of mathematics."""
    rows, vectors = make_rows(900, seed=7)
    tasks = [f"{row.category} {index % 3}" for index, row in enumerate(rows)]
    shifts = np.random.default_rng(1).normal(size=(6, vectors.shape[1])) * 0.3
    numbers = np.unique(tasks, return_inverse=True)[1]
    named = [replace(row, task=task) for row, task in zip(rows, tasks, strict=True)]
    return named, (vectors + shifts[numbers]).astype(np.float32)


@pytest.fixture(scope="module")
def guarded(several_kinds, fit):
    return fit(*several_kinds)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_prompt_at_a_great_distance_takes_the_best_single_model(guarded, policy):
    vectors, texts = far_prompts(60)
    costs = np.tile(COSTS, (60, 1))
    decisions = guarded.route(vectors, texts, costs=costs, policy=policy, budget=1e6)
    assert {decisions.model(row) for row in range(60)} == {guarded.best_single}


def test_a_prompt_at_a_great_distance_says_that_it_is_unfamiliar(guarded):
    decisions = guarded.route(*far_prompts(5), policy="quality")
    assert {decisions.reason_name(row) for row in range(5)} == {"unfamiliar"}


def test_familiar_prompts_keep_the_gain_under_the_guard(guarded, several_kinds):
    rows, vectors = several_kinds
    decisions = guarded.route(vectors, [row.prompt for row in rows], policy="quality")
    deviates = [decisions.model(row) != guarded.best_single for row in range(len(rows))]
    assert np.mean(deviates) > 0.5


@pytest.mark.parametrize("policy", POLICIES)
def test_without_the_guard_a_router_decides_as_one_that_measures_no_novelty(guarded, unseen, policy):
    rows, vectors = unseen
    texts, options = [row.prompt for row in rows], {"policy": policy, "budget": 2.0}
    before = replace(
        guarded, novelty=None, hyperparameters=replace(guarded.hyperparameters, shift=None)
    ).route(vectors, texts, **options)
    after = guarded.route(vectors, texts, shift="none", **options)
    assert list(before.rows(texts)) == list(after.rows(texts))


def test_the_measure_is_saved_with_the_router(guarded, unseen, tmp_path):
    guarded.save(tmp_path / "router")
    loaded = Router.load(tmp_path / "router")
    texts = [row.prompt for row in unseen[0]]
    assert loaded.hyperparameters.shift == guarded.hyperparameters.shift
    expected = guarded.predict(unseen[1], texts).novelty
    np.testing.assert_array_equal(loaded.predict(unseen[1], texts).novelty, expected)


def test_shuffled_labels_never_deviate(several_kinds, fit):
    rows, vectors = several_kinds
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(rows))
        shuffled = [replace(row, scores=rows[other].scores) for row, other in zip(rows, order, strict=True)]
        router = fit(shuffled, vectors)
        decisions = router.route(vectors, [row.prompt for row in rows], policy="quality")
        assert {decisions.model(row) for row in range(len(rows))} == {router.best_single}


def test_what_is_more_likely_new_than_not_is_held_whatever_the_kinds_left_out_gain(guarded, make_rows, fit):
    # Without named tasks clusters are left out, which are not new at all here: they gain as much.
    for router in (guarded, fit(*make_rows(600))):
        assert max(router.hyperparameters.shift.thresholds.values()) <= 0.5


def test_where_the_measure_tells_no_kinds_apart_what_is_new_with_one_in_five_is_held(make_rows, fit, guarded):
    clustered = fit(*make_rows(600)).training["shift"]  # of which none is new to the others
    assert clustered["auc"] < LEAST_AUC
    assert {one["threshold"] for one in clustered["guard"].values() if one} <= set(THRESHOLDS)
    assert guarded.training["shift"]["auc"] > clustered["auc"]


def test_the_lenient_threshold_must_gain_on_the_familiar_prompts_of_mixed_batches():
    sure, unsure, none = (Trial(0.0, gain, 0.01, 1.0) for gain in (0.02, 0.01, 0.0))
    for threshold, mixed, safe in (
        (LENIENT_THRESHOLD, sure, True),
        (LENIENT_THRESHOLD, unsure, False),
        (THRESHOLDS[0], unsure, True),
    ):
        assert Estimates(0.0, threshold, 0.0, sure, none, mixed, none).is_safe is safe


def test_a_familiar_prompt_of_a_mixed_batch_is_of_another_kind_than_those_left_out():
    fold = np.random.default_rng(2).permutation(np.repeat([0, 1, 2], [50, 40, 60]))
    by_kind = np.argsort(fold, kind="stable")
    rows = rows_of_others(fold, by_kind)
    assert sorted(rows) == list(range(150))
    assert (fold[rows] != fold[by_kind]).all()


def test_of_equally_new_prompts_neither_is_newer():
    class Scored:
        def __init__(self, *novelty):
            self.novelty = np.array(novelty)

    batches = ShiftBatches(Scored(), Scored(), Scored(0.1, 0.5), Scored(0.5, 0.9, 0.0))
    assert batches.auc == pytest.approx((1.5 + 2 + 0) / 6)


def test_where_no_kind_can_be_left_out_what_is_new_by_itself_is_held_and_the_gain_is_kept(make_rows, fit):
    rows, vectors = make_rows(100)
    router, texts = fit(rows, vectors), [row.prompt for row in rows]
    assert "shift" not in router.training
    far = far_prompts(20)
    assert {router.route(*far, policy="quality").reason_name(row) for row in range(20)} == {"unfamiliar"}
    guarded, free = (
        router.route(vectors, texts, policy="quality", shift=s).choice for s in ("guard", "none")
    )
    assert (guarded == free).mean() > 0.9


def test_a_router_that_does_not_measure_novelty_obeys_the_margins_of_its_guard(guarded, several_kinds):
    rows, vectors = several_kinds
    shift = replace(guarded.hyperparameters.shift, margins=dict.fromkeys(POLICIES))
    hyperparameters = replace(guarded.hyperparameters, shift=shift)
    unmeasured = replace(guarded, novelty=None, hyperparameters=hyperparameters)
    decisions = unmeasured.route(vectors, [row.prompt for row in rows], policy="quality")
    assert {decisions.model(row) for row in range(len(rows))} == {guarded.best_single}


def test_training_records_the_gain_on_familiar_prompts_and_on_kinds_left_out(guarded):
    record = guarded.training["shift"]
    assert record["kinds"] == 6
    for policy in ("quality", "saving", "weighted"):
        estimates = record["guard"][policy]
        assert estimates is None or {"familiar", "left_out"} <= estimates.keys()


def test_labels_near_a_prompt_only_lower_its_novelty(several_kinds, fit):
    """A measure is fitted once; then labels are added at the prompt, as a group of their own."""
    rows, vectors = several_kinds
    router = fit(rows, vectors)
    far = np.random.default_rng(2).normal(size=(20, vectors.shape[1])).astype(np.float32)
    texts = [f"coding prompt {index}" for index in range(20)]
    scored, knn = router.predict(far, texts), router.predictors.ensemble.knn
    tasks = router.predictors.ensemble.task_probabilities(scored.representation)
    inputs = np.hstack([scored.representation, np.sqrt(tasks)])
    for row in range(20):
        near = replace(
            knn,
            inputs=np.vstack([knn.inputs, np.repeat(inputs[[row]], 5, axis=0)]),
            residuals=np.vstack([knn.residuals, np.zeros((5, knn.residuals.shape[1]), dtype=np.float32)]),
            weights=np.append(knn.weights, np.ones(5, dtype=np.float32)),
        )
        distances = near.predict_with_distances(inputs[[row]])[1]
        predictions = replace(
            scored.predictions.take(np.array([row])), signals=neighbour_signals(distances, tasks[[row]])
        )
        own = scored.representation[row].astype(np.float64) @ router.novelty.gaussians.within
        gaussians = replace(router.novelty.gaussians, means=np.vstack([router.novelty.gaussians.means, own]))
        measure = replace(router.novelty, gaussians=gaussians)
        after = measure.novelty(scored.representation[[row]], predictions)
        assert after[0] <= scored.novelty[row]


def test_a_kind_that_is_half_as_new_as_those_left_out_is_seen_in_its_batch():
    random = np.random.default_rng(4)
    groups = np.repeat(np.arange(4), 100)
    gaussians = GroupGaussians.fit(random.normal(size=(400, 3)).astype(np.float32), groups)
    familiar, left_out = random.normal(size=(400, 4)), random.normal(4.0, size=(400, 4))
    measure = NoveltyMeasure.fit(gaussians, familiar, left_out)
    # Only a few are above all familiar ones in some signal.
    highest = np.append(measure.highest, 2.0)
    anywhere = np.zeros((200, 3), dtype=np.float32)
    half_as_new = np.minimum(random.normal([1.6, 1.6, 1.6, 0.0], size=(200, 4)), highest)
    assert measure.of_signals(half_as_new, anywhere).mean() > 0.9
    assert measure.of_signals(np.minimum(random.normal(size=(200, 4)), highest), anywhere).mean() < 0.1


def test_a_kind_outside_the_labelled_prompts_components_is_seen_though_no_kind_left_out_was_like_it():
    random = np.random.default_rng(6)
    gaussians = GroupGaussians.fit(
        random.normal(size=(400, 3)).astype(np.float32), np.repeat(np.arange(4), 100)
    )
    left_out = random.normal([2.0, 2.0, 2.0, 0.0], size=(400, 4))
    measure = NoveltyMeasure.fit(gaussians, random.normal(size=(400, 4)), left_out)
    anywhere = np.zeros((100, 3), dtype=np.float32)
    outside = np.minimum(random.normal([0, 0, 0, 3.0], size=(100, 4)), np.append(measure.highest, np.inf))
    assert measure.of_signals(outside, anywhere).mean() > 0.9
    assert measure.of_signals(random.normal(size=(100, 4)), anywhere).mean() < 0.2


def test_the_reason_has_a_number_of_its_own():
    assert Reason.UNFAMILIAR == 6
