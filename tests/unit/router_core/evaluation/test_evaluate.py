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


def test_the_router_stands_between_the_best_single_model_and_the_oracle(result):
    best, ours, oracle = (result[name] for name in ("best single", "router: quality", "oracle"))
    assert best.quality.value < ours.quality.value < oracle.quality.value
    assert (best.headroom.value, oracle.headroom.value) == (0, 1)
    assert 0 < ours.headroom.value < 1


def test_quality_and_cost_are_those_of_the_chosen_models(result, unseen, router):
    line = result["best single"]
    assert line.model_shares[router.best_single] == 1
    assert line.quality.value == pytest.approx(np.mean([row.scores[router.best_single] for row in unseen[0]]))
    assert line.cost.value == pytest.approx(1000 * unseen[0][0].costs[router.best_single])
    assert line.relative_cost.value == 1


def test_the_gain_has_the_error_of_paired_differences(result, unseen, router):
    rows, vectors = unseen
    decisions = router.route(vectors, [row.prompt for row in rows], policy="quality")
    gains = [
        row.scores[decisions.model(index)] - row.scores[router.best_single] for index, row in enumerate(rows)
    ]
    line = result["router: quality"]
    assert line.gain.value == pytest.approx(np.mean(gains))
    assert line.gain.error == pytest.approx(np.std(gains, ddof=1) / np.sqrt(len(gains)), rel=0.1)


def test_random_reaches_the_mean_of_all_models(result, unseen):
    wanted = np.mean([list(row.scores.values()) for row in unseen[0]])
    assert result["random"].quality.value == pytest.approx(wanted)


def test_the_result_is_valid_json_and_holds_no_prompt(router, unseen):
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
    found = evaluate(router, thinned, vectors)
    assert found["best single"].prompts == 200
    assert (found.data.rows, found.data.used, found.data.without_scores) == (300, 200, 100)
    with pytest.raises(LabelsError, match="no row has a score"):
        evaluate(router, [replace(row, scores={}) for row in rows], vectors)


def test_a_missing_score_takes_the_prompt_out_of_the_lines_that_chose_it(router, unseen):
    rows, vectors = unseen
    best = router.best_single
    gone = [replace(row, scores={m: s for m, s in row.scores.items() if m != best}) for row in rows[:30]]
    found = evaluate(router, [*gone, *rows[30:]], vectors)
    assert found["best single"].prompts == 270
    assert found["oracle"].prompts == 300
    assert found.data.missing_scores == 30


def test_prompts_that_were_learnt_from_are_left_out_and_counted(router, labelled, unseen):
    rows = [*labelled[0][:50], *unseen[0]]
    vectors = np.vstack([labelled[1][:50], unseen[1]])
    found = evaluate(router, rows, vectors)
    assert (found.data.learnt_from, found.data.used) == (50, 300)
    assert found.to_dict()["held_out"] is True
    assert "50 of 350 rows left out" in markdown(found)


def test_an_altered_spelling_does_not_smuggle_a_prompt_in(router, labelled, unseen):
    row = replace(labelled[0][0], prompt="  " + labelled[0][0].prompt.upper().replace(" ", "\n"))
    found = evaluate(router, [row, *unseen[0]], np.vstack([labelled[1][:1], unseen[1]]))
    assert found.data.learnt_from == 1


def test_nothing_but_prompts_that_were_learnt_from_is_refused(router, labelled):
    with pytest.raises(LabelsError, match="learnt from the prompts of all 400 rows"):
        evaluate(router, *labelled)


def test_with_training_prompts_included_every_form_of_the_result_is_flagged(router, labelled):
    found = evaluate(router, *labelled, include_training=True)
    assert found.data.used == 400
    assert found.to_dict()["held_out"] is False
    assert markdown(found).startswith("**NOT HELD OUT: the router has learnt from the prompts of 400 of 400")


class AuthorsClassifier(PairwiseClassifier):
    """The pairwise classifier as the paper's notebooks train it: on pairs of all prompts, the test's too."""

    def win_probability(self, scored, rows, a, b):
        if not len(rows):
            return np.zeros(0, dtype=np.float32)
        pairs = np.column_stack([scored.representation[rows], np.eye(3)[a], np.eye(3)[b]])
        return np.asarray(self.forest.predict_proba(pairs)[:, 1], dtype=np.float32)

    @classmethod
    def of_all_pairs(cls, points, scores):
        rows, a, b = (index.ravel() for index in np.indices((len(points), 3, 3)).reshape(3, -1))
        unequal = scores[rows, a] != scores[rows, b]
        rows, a, b = rows[unequal], a[unequal], b[unequal]
        pairs = np.column_stack([points[rows], np.eye(3)[a], np.eye(3)[b]])
        found = cls.uninformative()
        won = (scores[rows, a] > scores[rows, b]).astype(float)
        object.__setattr__(found, "forest", _forest(pairs, won))
        return found


def _forest(pairs, won):
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(n_estimators=50, max_depth=25, random_state=0).fit(pairs, won)


def test_the_papers_leak_looks_like_skill_on_labels_without_any_and_is_refused(make_rows, fit):
    """Scores are drawn at random: no honest router can gain anything, the authors' procedure seems to."""
    train, train_vectors = make_rows(300, learnable=False)
    test, test_vectors = make_rows(200, seed=1, learnable=False)
    router = fit(train, train_vectors)
    rows, vectors = [*train, *test], np.vstack([train_vectors, test_vectors])
    scores = np.array([[row.scores[model] for model in router.models] for row in rows])
    points = router.predict(vectors, [row.prompt for row in rows]).representation
    leaky = replace(
        router,
        predictors=replace(router.predictors, pairwise=AuthorsClassifier.of_all_pairs(points, scores)),
        hyperparameters=replace(router.hyperparameters, tau=10.0),
        training_prompts=router.training_prompts | PromptHashSet.of(row.prompt for row in rows),
    )
    with pytest.raises(LabelsError, match="learnt from the prompts of all 200 rows"):
        evaluate(leaky, test, test_vectors)
    flagged = evaluate(leaky, test, test_vectors, include_training=True)
    assert flagged.data.flagged
    honest = evaluate(router, test, test_vectors)
    assert flagged["router: cargo"].headroom.value > 0.3
    assert honest["router: quality"].headroom.value < 0.1


def test_cross_validation_never_tests_a_prompt_that_was_learnt_from(make_rows, fit):
    rows, vectors = make_rows(200)
    rows = rows + [replace(row, id=row.id + " again") for row in rows[:50]]
    vectors = np.vstack([vectors, vectors[:50]])
    learnt = []

    def train(rows, vectors):
        learnt.append({row.prompt for row in rows})
        return fit(rows, vectors)

    result = cross_validate(rows, vectors, train, folds=4)
    assert result["best single"].prompts == 250
    for prompt in {row.prompt for row in rows}:
        assert sum(prompt not in prompts for prompts in learnt) == 1


def test_cross_validation_brings_each_rows_outcome_back_to_its_place(make_rows, fit):
    rows, vectors = make_rows(200)
    found = cross_validate(rows, vectors, fit, folds=2)
    wanted = np.mean([max(row.scores.values()) for row in rows])
    assert found["oracle"].quality.value == pytest.approx(wanted)
    assert found["category best"].quality.value > found["best single"].quality.value
    assert set(found.by_category) == {"coding", "mathematics"}
