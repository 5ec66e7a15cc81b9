"""Training."""

from dataclasses import replace

import numpy as np
import pytest

from router_core.errors import LabelsError
from router_core.predictors.answer_tokens import expected_answers
from router_core.predictors.pairwise import PairwiseClassifier
from router_core.router import Router
from tests.support.refitting import with_new_pairwise_classifier


def gain_over_best_single(router, data, **options):
    rows, vectors = data
    decisions = router.route(vectors, [row.prompt for row in rows], **options)
    chosen = [row.scores[decisions.model(index)] for index, row in enumerate(rows)]
    return np.mean(chosen) - np.mean([row.scores[router.best_single] for row in rows])


def reasons(router, data, **options):
    rows, vectors = data
    decisions = router.route(vectors, [row.prompt for row in rows], **options)
    return {decisions.reason_name(index) for index in range(len(rows))}


def test_a_trained_router_scores_higher_than_the_best_single_model(router, unseen):
    assert gain_over_best_single(router, unseen, policy="quality") > 0.15


def test_the_same_seed_gives_the_same_router_and_another_seed_another(labelled, router, fit):
    assert fit(*labelled).version == router.version
    assert fit(*labelled, seed=1).version != router.version


def test_without_a_relation_of_labels_and_prompts_no_deviation_is_significant(make_rows, fit):
    data = make_rows(400, seed=3, learnable=False)
    router = fit(*data)
    assert router.hyperparameters.margins["quality"] is None
    assert reasons(router, data, policy="quality") == {"guard_best_single"}


def test_without_significant_deviations_the_user_can_still_trade_quality_for_cost(make_rows, fit):
    """The best single model is right on every prompt, the cheap one on every prompt of one kind."""
    rows, vectors = make_rows(400)
    rows = [
        replace(row, scores={"dear": 1.0, "cheap": float(row.category == "coding")}, costs=None)
        for row in rows
    ]
    router, texts = fit(rows, vectors), [row.prompt for row in rows]
    costs = np.tile([1.0, 10.0], (len(rows), 1))
    coding = np.array([row.category == "coding" for row in rows])
    assert router.hyperparameters.margins["quality"] is None

    def cheap(**preferences):
        return router.route(vectors, texts, costs=costs, **preferences).choice == 0

    assert not cheap(policy="quality").any()
    assert not cheap(policy="weighted", cost_weight=0.0).any()
    for preferences in (
        {"policy": "weighted", "cost_weight": 0.3},
        {"policy": "saving", "quality_floor": 0.3},
        {"policy": "budget", "budget": 5800.0},
    ):
        chosen = cheap(**preferences)
        assert chosen[coding].mean() > 0.8
        assert chosen[~coding].mean() < 0.2


def test_with_fifty_rows_no_deviation_is_significant(make_rows, fit):
    data = make_rows(50)
    router = fit(*data)
    assert reasons(router, data) == {"guard_best_single"}
    assert gain_over_best_single(router, data) == 0


def test_equal_scores_send_everything_to_the_cheapest_model(make_rows, fit):
    rows, vectors = make_rows(200)
    rows = [replace(row, scores=dict.fromkeys(row.scores, 1.0)) for row in rows]
    costs = np.tile([3.0, 1.0, 2.0], (len(rows), 1))
    decisions = fit(rows, vectors).route(vectors, [row.prompt for row in rows], costs=costs)
    assert {decisions.model(index) for index in range(len(rows))} == {"counter"}


@pytest.mark.parametrize("category", [None, "coding"])
def test_one_category_or_none_is_enough(make_rows, fit, category):
    rows, vectors = make_rows(200)
    rows = [replace(row, category=category) for row in rows]
    decisions = fit(rows, vectors).route(vectors, [row.prompt for row in rows])
    assert decisions.category_name(0) == category


def test_models_may_lack_scores_and_all_costs_may_be_missing(make_rows, fit):
    rows, vectors = make_rows(300)
    rows = [
        replace(row, costs=None, scores={m: s for j, (m, s) in enumerate(row.scores.items()) if (i + j) % 3})
        for i, row in enumerate(rows)
    ]
    router = fit(rows, vectors)
    assert router.hyperparameters.margins["quality"] is not None


def test_a_model_scored_only_on_easy_prompts_does_not_become_the_best(fit, make_rows):
    rows, vectors = make_rows(300)
    easy_rows = [index % 2 for index in range(len(rows))]
    rows = [
        replace(row, scores={"good": 0.6 + 0.4 * easy} | {"weak": 0.2 + 0.4 * easy})
        if not easy
        else replace(row, scores={"good": 1.0, "weak": 0.6, "easy_only": 0.7})
        for row, easy in zip(rows, easy_rows, strict=True)
    ]
    assert fit(rows, vectors).best_single == "good"


def test_a_new_model_with_few_labels_starts_near_the_mean_of_all_models(make_rows, fit):
    rows, vectors = make_rows(300)
    rows = [replace(row, scores={**row.scores, "new": 1.0}) if i < 3 else row for i, row in enumerate(rows)]
    router = fit(rows, vectors)
    prior = dict(zip(router.models, router.prior, strict=True))
    assert prior["new"] < max(prior.values())


def test_a_single_model_makes_a_router_that_always_takes_it(make_rows, fit):
    rows, vectors = make_rows(100)
    rows = [replace(row, scores={"coder": row.scores["coder"]}) for row in rows]
    router = fit(rows, vectors)
    assert gain_over_best_single(router, (rows, vectors)) == 0


def test_rows_without_any_score_are_refused(make_rows, fit):
    rows, vectors = make_rows(5)
    with pytest.raises(LabelsError, match="nothing to learn"):
        fit([replace(row, scores={}) for row in rows], vectors)


def test_vectors_that_do_not_match_the_rows_are_refused(make_rows, fit):
    rows, vectors = make_rows(5)
    with pytest.raises(ValueError, match="5 rows"):
        fit(rows, vectors[:4])


def test_the_order_of_the_rows_changes_nothing(labelled, router, fit):
    rows, vectors = labelled
    order = np.random.default_rng(0).permutation(len(rows))
    assert fit([rows[row] for row in order], vectors[order]).version == router.version


def test_scaling_the_scores_changes_no_choice(labelled, router, fit, unseen):
    rows, vectors = labelled
    scaled = [replace(row, scores={m: 8 * score - 3 for m, score in row.scores.items()}) for row in rows]
    other, texts = fit(scaled, vectors), [row.prompt for row in unseen[0]]
    costs = np.tile([2.0, 1.0, 3.0], (len(texts), 1))
    for policy in ("quality", "saving", "weighted", "cargo"):
        for tau in (0.0, 0.6):
            options = {"policy": policy, "cost_weight": 2.0, "costs": costs}
            before = router.route(unseen[1], texts, tau=tau, **options)
            after = other.route(unseen[1], texts, tau=8 * tau, **options)
            assert (before.choice == after.choice).all()


def test_rows_of_weight_0_have_no_influence(make_rows, fit, unseen):
    rows, vectors = make_rows(200)
    inverted = [replace(row, scores={m: 1 - score for m, score in row.scores.items()}) for row in rows]
    both = rows + inverted, np.vstack([vectors, vectors])
    weighted = fit(*both, weights=np.repeat([1.0, 0.0], 200))
    assert gain_over_best_single(weighted, unseen, policy="quality") > 0.15
    assert gain_over_best_single(fit(*both), unseen, policy="quality") < 0.05


@pytest.mark.parametrize(
    ("weights", "reason"), [([1.0], "shape"), ([-1.0] * 5, "below 0"), ([0.0] * 5, "all 0")]
)
def test_invalid_weights_are_refused(make_rows, fit, weights, reason):
    with pytest.raises(ValueError, match=reason):
        fit(*make_rows(5), weights=np.array(weights))


def test_the_router_contains_the_hashes_of_its_training_prompts(router, labelled, unseen):
    fresh = [f"new {row.prompt}" for row in unseen[0]]
    assert router.training_prompts.contains([row.prompt.upper() for row in labelled[0]]).all()
    assert not router.training_prompts.contains(fresh).any()


def test_prompts_that_only_the_classifier_was_fitted_on_are_training_prompts_too(router, make_rows, tmp_path):
    rows, vectors = make_rows(200, seed=7)
    rows = [replace(row, prompt=f"other {row.prompt}") for row in rows]
    leaky = with_new_pairwise_classifier(router, rows, vectors)
    assert leaky.predictors.pairwise.shared.any()
    assert leaky.version != router.version
    leaky.save(tmp_path / "leaky")
    assert Router.load(tmp_path / "leaky").training_prompts.contains([row.prompt for row in rows]).all()
    assert not router.training_prompts.contains([row.prompt for row in rows]).any()


def test_expected_costs_follow_the_length_of_the_prompt(make_rows, fit):
    rows, vectors = make_rows(300)
    price = {"coder": 1e-6, "counter": 5e-6}
    rows = [replace(row, prompt="word " * (index % 40 + 1) + str(index)) for index, row in enumerate(rows)]
    rows = [replace(row, costs={m: 1e-3 + p * len(row.prompt) for m, p in price.items()}) for row in rows]
    router = fit(rows, vectors)
    texts = [row.prompt for row in rows]
    expected = router.expected_costs(router.predict(vectors, texts), texts)
    np.testing.assert_allclose(expected[:, :2], [list(row.costs.values()) for row in rows], rtol=0.05)
    assert np.isnan(expected[:, 2]).all()


def test_the_training_record_has_the_metrics_of_the_pairwise_classifier(router):
    metrics = router.training["fallback"]
    assert metrics["pairs"] > 0
    assert 0 <= metrics["classifier"]["brier"] <= 1
    assert 0 <= metrics["higher_score"]["accuracy"] <= 1


def test_every_step_is_reported(make_rows, fit):
    steps = []
    fit(*make_rows(120), progress=steps.append)
    assert steps[0] == "step 1 of 8: fitting on all prompts"
    assert "step 6 of 8: inner fold 5" in steps
    assert steps[-1].startswith("step 8 of 8: ")


def test_the_classifier_is_fitted_only_on_the_parts_that_routing_computes(make_rows, fit, monkeypatch):
    fitted_on, original = [], PairwiseClassifier.fit

    def spy(scored, *arguments, **options):
        fitted_on.append(scored.predictions.parts.any(axis=(1, 2)).tolist())
        return original(scored, *arguments, **options)

    monkeypatch.setattr(PairwiseClassifier, "fit", spy)
    router = fit(*make_rows(200))
    computed = [weight > 0 for weight in router.hyperparameters.weights]
    assert False in computed
    assert len(fitted_on) > 5
    assert [parts for parts in fitted_on if parts != computed] == []


def test_repeats_with_equal_scores_teach_what_one_row_does(labelled, router, fit):
    rows, vectors = labelled
    twice = fit([*rows, *rows], np.concatenate([vectors, vectors]))
    assert twice.training["rows"] == len(rows)
    np.testing.assert_array_equal(twice.prior, router.prior)
    assert twice.hyperparameters == router.hyperparameters


def test_expected_lengths_of_answers_are_learnt_by_kind_and_saved(labelled, fit, tmp_path):
    rows, vectors = labelled
    told = [
        replace(row, tokens={"coder": 20.0 if row.category == "coding" else 400.0, "counter": 50.0})
        for row in rows
    ]
    router = fit(told, vectors)
    router.save(tmp_path / "router")
    loaded = Router.load(tmp_path / "router")
    scored = loaded.predict(vectors[:50], [row.prompt for row in rows[:50]])
    answers = expected_answers(loaded, scored, ("generalist", "coder", "unheard"))
    expected = answers.tokens
    coding = np.array([row.category == "coding" for row in rows[:50]])
    assert np.isnan(expected[:, [0, 2]]).all()
    assert expected[coding, 1].mean() < 100
    assert expected[~coding, 1].mean() > 300
    assert set(loaded.training["answer_tokens"]) == {"coder", "counter"}
