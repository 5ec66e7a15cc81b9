from dataclasses import replace

import numpy as np
import pytest

from router_core.errors import LabelsError
from router_core.predictors.pairwise import PairwiseClassifier
from router_core.router import Router
from tests.support.refitting import with_new_fallback


def gain_over_best_single(router, data, **options):
    rows, vectors = data
    decisions = router.route(vectors, [row.prompt for row in rows], **options)
    chosen = [row.scores[decisions.model(index)] for index, row in enumerate(rows)]
    return np.mean(chosen) - np.mean([row.scores[router.best_single] for row in rows])


def reasons(router, data, **options):
    rows, vectors = data
    decisions = router.route(vectors, [row.prompt for row in rows], **options)
    return {decisions.reason_name(index) for index in range(len(rows))}


def test_what_can_be_learnt_is_learnt(router, unseen):
    assert gain_over_best_single(router, unseen, policy="quality") > 0.15


def test_the_same_seed_gives_the_same_router_and_another_seed_another(labelled, router, fit):
    assert fit(*labelled).version == router.version
    assert fit(*labelled, seed=1).version != router.version


def test_labels_that_have_nothing_to_do_with_the_prompt_make_the_guard_hold(make_rows, fit):
    data = make_rows(400, seed=3, learnable=False)
    router = fit(*data)
    assert router.hyperparameters.margins["quality"] is None
    assert reasons(router, data, policy="quality") == {"guard_best_single"}


def test_where_the_guard_holds_the_user_can_still_trade_quality_for_money(make_rows, fit):
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

    def cheap(**wish):
        return router.route(vectors, texts, costs=costs, **wish).choice == 0

    assert not cheap(policy="quality").any()
    assert not cheap(policy="weighted", cost_weight=0.0).any()
    for wish in (
        {"policy": "weighted", "cost_weight": 0.3},
        {"policy": "saving", "quality_floor": 0.3},
        {"policy": "budget", "budget": 5800.0},
    ):
        taken = cheap(**wish)
        assert taken[coding].mean() > 0.8
        assert taken[~coding].mean() < 0.2


def test_with_fifty_rows_the_guard_holds(make_rows, fit):
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


def test_models_may_lack_scores_and_costs_may_lack_altogether(make_rows, fit):
    rows, vectors = make_rows(300)
    rows = [
        replace(row, costs=None, scores={m: s for j, (m, s) in enumerate(row.scores.items()) if (i + j) % 3})
        for i, row in enumerate(rows)
    ]
    router = fit(rows, vectors)
    assert router.hyperparameters.margins["quality"] is not None


def test_a_model_judged_only_on_easy_prompts_gains_no_rank_by_it(fit, make_rows):
    rows, vectors = make_rows(300)
    ease = [index % 2 for index in range(len(rows))]
    rows = [
        replace(row, scores={"good": 0.6 + 0.4 * easy} | {"weak": 0.2 + 0.4 * easy})
        if not easy
        else replace(row, scores={"good": 1.0, "weak": 0.6, "easy_only": 0.7})
        for row, easy in zip(rows, ease, strict=True)
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
            wish = {"policy": policy, "cost_weight": 2.0, "costs": costs}
            before = router.route(unseen[1], texts, tau=tau, **wish)
            after = other.route(unseen[1], texts, tau=8 * tau, **wish)
            assert (before.choice == after.choice).all()


def test_rows_of_no_weight_might_as_well_not_be_there(make_rows, fit, unseen):
    rows, vectors = make_rows(200)
    lies = [replace(row, scores={m: 1 - score for m, score in row.scores.items()}) for row in rows]
    both = rows + lies, np.vstack([vectors, vectors])
    weighted = fit(*both, weights=np.repeat([1.0, 0.0], 200))
    assert gain_over_best_single(weighted, unseen, policy="quality") > 0.15
    assert gain_over_best_single(fit(*both), unseen, policy="quality") < 0.05


@pytest.mark.parametrize(
    ("weights", "reason"), [([1.0], "shape"), ([-1.0] * 5, "below 0"), ([0.0] * 5, "all 0")]
)
def test_weights_that_make_no_sense_are_refused(make_rows, fit, weights, reason):
    with pytest.raises(ValueError, match=reason):
        fit(*make_rows(5), weights=np.array(weights))


def test_the_artefact_knows_the_prompts_it_learnt_from(router, labelled, unseen):
    fresh = [f"new {row.prompt}" for row in unseen[0]]
    assert router.training_prompts.contains([row.prompt.upper() for row in labelled[0]]).all()
    assert not router.training_prompts.contains(fresh).any()


def test_prompts_that_only_the_classifier_learnt_from_are_known_too(router, make_rows, tmp_path):
    rows, vectors = make_rows(200, seed=7)
    rows = [replace(row, prompt=f"other {row.prompt}") for row in rows]
    leaky = with_new_fallback(router, rows, vectors)
    assert leaky.predictors.pairwise.shared.any()
    assert leaky.version != router.version
    leaky.save(tmp_path / "leaky")
    assert Router.load(tmp_path / "leaky").training_prompts.contains([row.prompt for row in rows]).all()
    assert not router.training_prompts.contains([row.prompt for row in rows]).any()


def test_costs_are_expected_as_they_were_known_before_the_answer(make_rows, fit):
    rows, vectors = make_rows(300)
    price = {"coder": 1e-6, "counter": 5e-6}
    rows = [replace(row, prompt="word " * (index % 40 + 1) + str(index)) for index, row in enumerate(rows)]
    rows = [replace(row, costs={m: 1e-3 + p * len(row.prompt) for m, p in price.items()}) for row in rows]
    router = fit(rows, vectors)
    texts = [row.prompt for row in rows]
    expected = router.expected_costs(router.predict(vectors, texts), texts)
    np.testing.assert_allclose(expected[:, :2], [list(row.costs.values()) for row in rows], rtol=0.05)
    assert np.isnan(expected[:, 2]).all()


def test_the_artefact_says_how_the_classifier_does_alone(router):
    duels = router.training["fallback"]
    assert duels["pairs"] > 0
    assert 0 <= duels["classifier"]["brier"] <= 1
    assert 0 <= duels["higher_score"]["accuracy"] <= 1


def test_every_stage_is_reported(make_rows, fit):
    stages = []
    fit(*make_rows(120), progress=stages.append)
    assert stages[0] == "fitting on all prompts"
    assert "inner fold 5" in stages


def test_the_classifier_learns_only_from_the_parts_that_routing_computes(make_rows, fit, monkeypatch):
    learnt_from, original = [], PairwiseClassifier.fit

    def spy(scored, *arguments, **options):
        learnt_from.append(scored.predictions.parts.any(axis=(1, 2)).tolist())
        return original(scored, *arguments, **options)

    monkeypatch.setattr(PairwiseClassifier, "fit", spy)
    router = fit(*make_rows(200))
    computed = [weight > 0 for weight in router.hyperparameters.weights]
    assert False in computed
    assert len(learnt_from) > 5
    assert all(parts == computed for parts in learnt_from)
