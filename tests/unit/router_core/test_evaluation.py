import json
from dataclasses import replace

import numpy as np
import pytest

from router_core.errors import LabelsError
from router_core.evaluation import cross_validate, evaluate


@pytest.fixture(scope="module")
def result(router, unseen):
    return evaluate(router, *unseen)


def test_the_router_stands_between_the_best_single_model_and_the_oracle(result):
    best, ours, oracle = (result[name] for name in ("best single", "router: quality", "oracle"))
    assert best.quality < ours.quality < oracle.quality
    assert (best.headroom, oracle.headroom) == (0, 1)
    assert 0 < ours.headroom < 1


def test_quality_and_cost_are_those_of_the_chosen_models(result, unseen):
    line = result["best single"]
    (model,) = line.model_shares
    assert line.quality == pytest.approx(np.mean([row.scores[model] for row in unseen[0]]))
    assert line.cost == pytest.approx(unseen[0][0].costs[model])
    assert line.relative_cost == 1


def test_the_gain_has_the_error_of_paired_differences(result, unseen, router):
    rows, vectors = unseen
    decisions = router.route(vectors, [row.prompt for row in rows], policy="quality")
    gains = [
        row.scores[decisions.model(index)] - row.scores[router.best_single] for index, row in enumerate(rows)
    ]
    line = result["router: quality"]
    assert line.gain == pytest.approx(np.mean(gains))
    assert line.gain_error == pytest.approx(np.std(gains, ddof=1) / np.sqrt(len(gains)))


def test_random_reaches_the_mean_of_all_models(result, unseen):
    wanted = np.mean([list(row.scores.values()) for row in unseen[0]])
    assert result["random"].quality == pytest.approx(wanted)


def test_the_result_is_valid_json_even_where_costs_are_unknown(router, unseen):
    rows, vectors = unseen
    result = evaluate(router, [replace(row, costs=None) for row in rows], vectors)
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert json.loads(text)["best single"]["relative_cost"] is None
    assert result["router: quality"].gain > 0


def test_the_table_has_a_row_for_each_line(result):
    assert len(result.to_markdown().splitlines()) == len(result.lines) + 2


def test_rows_that_were_not_judged_are_left_out_and_none_left_is_an_error(router, unseen):
    rows, vectors = unseen
    thinned = [replace(row, scores={}) if index < 100 else row for index, row in enumerate(rows)]
    assert evaluate(router, thinned, vectors)["best single"].prompts == 200
    with pytest.raises(LabelsError, match="no row has a score"):
        evaluate(router, [replace(row, scores={}) for row in rows], vectors)


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
