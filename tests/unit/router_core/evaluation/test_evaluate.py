"""Evaluation on held-out rows and by cross-validation; training prompts never count as held out."""

import json
from dataclasses import replace

import numpy as np
import pytest

from router_core.data.prompt_hashes import PromptHashSet
from router_core.errors import LabelsError
from router_core.evaluation import cross_validate, evaluate
from router_core.evaluation.tables import markdown
from router_core.predictors.pairwise import PairwiseClassifier


@pytest.fixture(scope="module")
def result(router, unseen):
    return evaluate(router, *unseen)


def test_the_router_is_between_the_best_single_model_and_the_oracle(result):
    best, routed, oracle = (result[name] for name in ("best single", "router: quality", "oracle"))
    assert best.quality.value < routed.quality.value < oracle.quality.value
    assert (best.headroom.value, oracle.headroom.value) == (0, 1)
    assert 0 < routed.headroom.value < 1


def test_quality_and_cost_are_those_of_the_chosen_models(result, unseen, router):
    best, name = result["best single"], router.best_single
    assert best.model_shares[name] == 1
    assert best.quality.value == pytest.approx(np.mean([row.scores[name] for row in unseen[0]]))
    assert best.cost.value == pytest.approx(1000 * unseen[0][0].costs[name])
    assert best.relative_cost.value == 1


def test_of_equally_good_models_the_cheapest_is_the_best_single_one_for_the_router_and_its_evaluation(
    router, unseen
):
    rows, vectors = unseen
    tied = replace(router, prior=np.ones_like(router.prior))
    held = replace(tied.hyperparameters, shift=None, margins=dict.fromkeys(router.hyperparameters.margins))
    tied = replace(tied, hyperparameters=held)
    cheapest = max(range(len(tied.models)), key=lambda column: -rows[0].costs[tied.models[column]])
    shares = evaluate(tied, rows, vectors)
    assert shares["best single"].model_shares[tied.models[cheapest]] == 1
    assert shares["router: quality"].model_shares == shares["best single"].model_shares


def test_the_gain_has_the_error_of_paired_differences(result, unseen, router):
    rows, vectors = unseen
    decisions = router.route(vectors, [row.prompt for row in rows], policy="quality")
    gains = [
        row.scores[decisions.model(index)] - row.scores[router.best_single] for index, row in enumerate(rows)
    ]
    gain = result["router: quality"].gain
    assert gain.value == pytest.approx(np.mean(gains))
    assert gain.error == pytest.approx(np.std(gains, ddof=1) / np.sqrt(len(gains)), rel=0.1)


def test_the_random_strategy_has_the_mean_score_of_all_models(result, unseen):
    expected = np.mean([list(row.scores.values()) for row in unseen[0]])
    assert result["random"].quality.value == pytest.approx(expected)


def test_the_result_is_valid_json_and_contains_no_prompt(router, unseen):
    rows, vectors = unseen
    result = evaluate(router, [replace(row, costs=None) for row in rows], vectors)
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert json.loads(text)["ways"]["best single"]["relative_cost"] == {"value": None, "error": None}
    assert result.data.missing_costs == 3 * len(rows)
    printed = text + markdown(result)
    assert [row.prompt for row in rows if row.prompt in printed] == []


def test_rows_without_a_judged_model_are_left_out_and_counted(router, unseen):
    rows, vectors = unseen
    thinned = [replace(row, scores={}) if index < 100 else row for index, row in enumerate(rows)]
    result = evaluate(router, thinned, vectors)
    assert result["best single"].prompts == 200
    assert (result.data.rows, result.data.used, result.data.without_scores) == (300, 200, 100)
    with pytest.raises(LabelsError, match="no row has a score"):
        evaluate(router, [replace(row, scores={}) for row in rows], vectors)


def test_a_prompt_is_left_out_where_the_chosen_model_has_no_score(router, unseen):
    rows, vectors = unseen
    best = router.best_single
    without_best = [
        replace(row, scores={m: s for m, s in row.scores.items() if m != best}) for row in rows[:30]
    ]
    result = evaluate(router, [*without_best, *rows[30:]], vectors)
    assert result["best single"].prompts == 270
    assert result["oracle"].prompts == 300
    assert result.data.missing_scores == 30


def test_training_prompts_are_left_out_and_counted(router, labelled, unseen):
    rows = [*labelled[0][:50], *unseen[0]]
    vectors = np.vstack([labelled[1][:50], unseen[1]])
    result = evaluate(router, rows, vectors)
    assert (result.data.learnt_from, result.data.used) == (50, 300)
    assert result.to_dict()["held_out"] is True
    assert "50 of 350 rows left out" in markdown(result)


def test_a_training_prompt_is_recognised_whatever_its_case_and_spaces(router, labelled, unseen):
    row = replace(labelled[0][0], prompt="  " + labelled[0][0].prompt.upper().replace(" ", "\n"))
    result = evaluate(router, [row, *unseen[0]], np.vstack([labelled[1][:1], unseen[1]]))
    assert result.data.learnt_from == 1


def test_an_evaluation_on_training_prompts_only_is_refused(router, labelled):
    with pytest.raises(LabelsError, match="learnt from the prompts of all 400 rows"):
        evaluate(router, *labelled)


def test_with_training_prompts_included_every_form_of_the_result_is_flagged(router, labelled):
    result = evaluate(router, *labelled, include_training=True)
    assert result.data.used == 400
    assert result.to_dict()["held_out"] is False
    assert markdown(result).startswith("**NOT HELD OUT: the router has learnt from the prompts of 400 of 400")


class AuthorsClassifier(PairwiseClassifier):
    """The pairwise classifier as CARGO's notebooks train it: on pairs of all prompts, the test's too."""

    def win_probability(self, scored, rows, a, b):
        if not len(rows):
            return np.zeros(0, dtype=np.float32)
        pairs = np.column_stack([scored.representation[rows], np.eye(3)[a], np.eye(3)[b]])
        return np.asarray(self.forest.predict_proba(pairs)[:, 1], dtype=np.float32)

    @classmethod
    def of_all_pairs(cls, representation, scores):
        rows, a, b = (index.ravel() for index in np.indices((len(representation), 3, 3)).reshape(3, -1))
        unequal = scores[rows, a] != scores[rows, b]
        rows, a, b = rows[unequal], a[unequal], b[unequal]
        pairs = np.column_stack([representation[rows], np.eye(3)[a], np.eye(3)[b]])
        classifier = cls.uninformative()
        won = (scores[rows, a] > scores[rows, b]).astype(float)
        object.__setattr__(classifier, "forest", _forest(pairs, won))
        return classifier


def _forest(pairs, won):
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(n_estimators=50, max_depth=25, random_state=0).fit(pairs, won)


def test_the_leak_of_the_papers_notebooks_shows_a_gain_on_random_scores_and_is_refused(make_rows, fit):
    """Nothing can be learnt from random scores, but a classifier trained on the test seems to gain."""
    train, train_vectors = make_rows(300, learnable=False)
    test, test_vectors = make_rows(200, seed=1, learnable=False)
    router = fit(train, train_vectors)
    rows, vectors = [*train, *test], np.vstack([train_vectors, test_vectors])
    scores = np.array([[row.scores[model] for model in router.models] for row in rows])
    representation = router.predict(vectors, [row.prompt for row in rows]).representation
    leaky = replace(
        router,
        predictors=replace(
            router.predictors, pairwise=AuthorsClassifier.of_all_pairs(representation, scores)
        ),
        hyperparameters=replace(router.hyperparameters, tau=10.0),
        training_prompts=router.training_prompts | PromptHashSet.of(row.prompt for row in rows),
    )
    with pytest.raises(LabelsError, match="learnt from the prompts of all 200 rows"):
        evaluate(leaky, test, test_vectors)
    flagged = evaluate(leaky, test, test_vectors, include_training=True)
    assert flagged.data.flagged
    held_out = evaluate(router, test, test_vectors)
    assert flagged["router: cargo"].headroom.value > 0.3
    assert held_out["router: quality"].headroom.value < 0.1


def test_cross_validation_tests_no_prompt_on_the_router_that_was_trained_on_it(make_rows, fit):
    rows, vectors = make_rows(200)
    rows = rows + [replace(row, id=row.id + " again") for row in rows[:50]]
    vectors = np.vstack([vectors, vectors[:50]])
    training_prompts = []

    def train(rows, vectors):
        training_prompts.append({row.prompt for row in rows})
        return fit(rows, vectors)

    result = cross_validate(rows, vectors, train, folds=4)
    assert result["best single"].prompts == 250
    for prompt in {row.prompt for row in rows}:
        assert sum(prompt not in prompts for prompts in training_prompts) == 1


def test_cross_validation_returns_outcomes_in_the_order_of_the_rows(make_rows, fit):
    rows, vectors = make_rows(200)
    result = cross_validate(rows, vectors, fit, folds=2)
    expected = np.mean([max(row.scores.values()) for row in rows])
    assert result["oracle"].quality.value == pytest.approx(expected)
    assert result["category best"].quality.value > result["best single"].quality.value
    assert set(result.by_category) == {"coding", "mathematics"}
