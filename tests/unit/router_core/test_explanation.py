"""Explanations of decisions: what a line contains, and what it does not."""

import re
from dataclasses import replace

import numpy as np
import pytest

from router_core.explanation import explain
from router_core.predictors.knn import LabelledIds
from router_core.router import Router


def explained(router, data, *, policy="quality", costs=None, tau=None, **options):
    rows, vectors = data
    texts = [row.prompt for row in rows]
    decisions = router.route(vectors, texts, policy=policy, costs=costs, tau=tau, **options)
    found = explain(router, decisions, vectors, texts, policy=policy, costs=costs, tau=tau)
    return decisions, [one.line for one in found]


def test_a_line_contains_model_reason_category_scores_gap_cost_and_nearest_labelled_prompts(router, unseen):
    costs = np.tile([0.002, 0.001, 0.003], (len(unseen[0]), 1))
    decisions, lines = explained(router, unseen, costs=costs)
    row = next(row for row in range(300) if decisions.model(row) == "coder")
    assert lines[row].startswith("coder: highest predicted score; category coding (")
    assert "predicted coder 0." in lines[row]
    assert "$2 for 1,000 such prompts, generalist $3" in lines[row]
    assert re.search(r"gap 0\.\d{3} not below tau", lines[row])
    assert re.search(r"most like p\d+, p\d+, p\d+$", lines[row])
    assert [line for line in lines if "\n" in line] == []


def test_the_nearest_labelled_prompts_have_the_same_category(router, labelled, unseen):
    category = {row.id: row.category for row in labelled[0]}
    decisions, lines = explained(router, unseen)
    same_category = [
        category[name] == decisions.category_name(row)
        for row, line in enumerate(lines)
        for name in line.rsplit("most like ", 1)[1].split(", ")
    ]
    assert np.mean(same_category) > 0.95


def test_a_training_prompt_is_most_like_itself(router, labelled):
    _, lines = explained(router, labelled)
    pairs = zip(labelled[0], lines, strict=True)
    assert [(row.id, line) for row, line in pairs if f"most like {row.id}" not in line] == []


def test_the_classifiers_probability_is_shown_where_it_decided(router, unseen):
    decisions, lines = explained(router, unseen, policy="cargo", tau=10.0)
    for row, line in enumerate(lines):
        first, second, probability = re.search(r"P\((\w+) beats (\w+)\) = ([\d.]+)", line).groups()
        if float(probability) != 0.5:
            assert decisions.model(row) == (first if float(probability) > 0.5 else second)


def test_the_parts_say_what_the_line_says(router, unseen):
    rows, vectors = unseen
    texts, costs = [row.prompt for row in rows], np.tile([0.002, 0.001, 0.003], (len(rows), 1))
    decisions = router.route(vectors, texts, policy="cargo", tau=0.2, costs=costs)
    found = explain(router, decisions, vectors, texts, policy="cargo", costs=costs, tau=0.2)
    assert {one.first_wins is None for one in found} == {True, False}
    for one in found:
        line = one.line
        assert line.startswith(f"{one.model}: {one.reason}")
        assert f"gap {one.gap:.3f}" in line
        assert line.endswith(", ".join(one.neighbours))
        assert one.first_wins is None or f"beats {list(one.predicted)[1]}) = {one.first_wins:.2f}" in line
        assert sum(one.categories.values()) == pytest.approx(1, abs=1e-4)
        assert sorted(one.costs.values()) == [1, 2, 3]


def test_the_required_margin_is_shown(router, unseen):
    margins = {**router.hyperparameters.margins, "quality": None, "saving": 0.05}
    guarded = replace(router, hyperparameters=replace(router.hyperparameters, margins=margins, shift=None))
    _, lines = explained(guarded, unseen)
    assert [
        line for line in lines if not re.match("generalist: .*deviation test: on inner folds", line)
    ] == []
    _, lines = explained(guarded, unseen, policy="saving")
    guard = "deviation test: others must promise 0.05 more than generalist"
    assert [line for line in lines if guard not in line] == []


def test_the_choice_of_a_cheaper_model_is_explained(router, unseen):
    costs = np.tile([0.002, 0.001, 0.003], (len(unseen[0]), 1))
    decisions, lines = explained(router, unseen, policy="saving", costs=costs, quality_floor=1.0)
    rows = [row for row in range(300) if decisions.reason_name(row) == "cheaper_not_worse"]
    assert len(rows) > 0
    assert [lines[r] for r in rows if "cheapest not predicted below generalist" not in lines[r]] == []


def test_a_choice_among_unknown_models_only_is_explained(router, unseen):
    _, lines = explained(router, unseen, models=("new",))
    assert lines[0].startswith("new: the router knows none of the models")


def test_no_line_contains_a_prompt(router, unseen):
    _, lines = explained(router, unseen)
    pairs = zip(unseen[0], lines, strict=True)
    assert [line for row, line in pairs if row.prompt in line] == []


def test_the_labelled_ids_are_saved_in_a_file_of_their_own(router, unseen, tmp_path):
    router.save(tmp_path / "router")
    assert (tmp_path / "router" / "labelled_ids.json").is_file()
    loaded = Router.load(tmp_path / "router")
    assert explained(loaded, unseen)[1] == explained(router, unseen)[1]


def test_a_router_without_ids_explains_without_them(router, unseen):
    _, lines = explained(replace(router, labelled_ids=LabelledIds()), unseen)
    assert [line for line in lines if "most like" in line] == []


@pytest.mark.parametrize("name", ["plain", 'with "quotes" and\nlines', "日本語", "\ud800"])
def test_any_id_is_returned_unchanged(name):
    assert LabelledIds.of(["first", name]).at([1, 0, 7]) == [name, "first"]
