from collections import Counter

import numpy as np

from router_core.data.categories import read_sample
from router_core.features.prompt_features import BUCKETS, PromptFeatures, column, edge_columns
from router_core.features.shape import SHAPES
from router_core.features.surface import FEATURES
from router_core.predictors.category_classifier import SoftmaxClassifier
from router_core.predictors.category_examples import MAX_PROMPTS, CategoryTrainingData, LabelledFeatures

FIVE = ("mathematics", "coding", "reasoning", "summarization", "creative_writing")


def examples(**counts):
    """Return examples that are easy to classify: each category has a column of its own."""
    labels = [None if name == "none" else name for name, count in counts.items() for _ in range(count)]
    columns = sorted(counts)
    table = np.array([[name == (label or "none") for name in columns] for label in labels], dtype=np.float32)
    return LabelledFeatures(table, tuple(labels))


def learnt_categories(rows, sample):
    return CategoryTrainingData.choose(rows, sample).fit_classifier().categories


SAMPLE = LabelledFeatures(
    np.eye(3, dtype=np.float32).repeat(10, axis=0), ("coding",) * 10 + ("other",) * 10 + ("x",) * 10
)


def padded(**counts):
    rows = examples(**counts)
    return LabelledFeatures(np.pad(rows.inputs, ((0, 0), (0, 3 - rows.inputs.shape[1]))), rows.categories)


def test_the_sample_has_over_a_hundred_different_prompts_of_each_category():
    rows = read_sample()
    counts = Counter(row.category for row in rows)
    assert set(counts) == {*FIVE, "other"}
    assert min(counts.values()) >= 130
    assert len({row.prompt for row in rows}) == len({row.id for row in rows}) == len(rows)


def test_the_words_alone_classify_most_prompts_of_the_sample():
    rows = read_sample()
    examples = LabelledFeatures.of(rows, np.zeros((len(rows), 0), dtype=np.float32))
    held_out = np.arange(len(rows)) % 5 == 0
    classifier = examples.take(np.flatnonzero(~held_out)).fit_classifier()
    tested = examples.take(np.flatnonzero(held_out))
    found = classifier.decide(classifier.posterior(tested.inputs))
    hits = [
        classifier.categories[column] == category
        for column, category in zip(found, tested.categories, strict=True)
        if category in FIVE
    ]
    assert np.mean(hits) > 0.7


def test_the_instruction_is_seen_on_either_side_of_a_long_document():
    document = "The committee met on Monday. " * 200
    for prompt in (f"Summarize this. {document}", f"{document} Summarize this."):
        assert {column("summarize"), column("summa*")} <= set(edge_columns(prompt))
    assert {column("^write"), column("$0")} <= set(edge_columns("Write a number below 7"))


def test_any_text_has_finite_category_inputs():
    table = PromptFeatures.of(
        np.zeros((3, 4), dtype=np.float32), ["", "\ud800 \x00", "总结" * 10_000]
    ).category_inputs()
    assert table.shape == (3, 4 + len(FEATURES) + len(SHAPES) + BUCKETS)
    assert np.isfinite(table).all()


def test_rows_without_categories_learn_those_of_the_sample():
    assert learnt_categories(padded(none=20), SAMPLE) == ("coding", "other", "x")


def test_rows_with_built_in_categories_are_used_together_with_the_sample():
    training_data = CategoryTrainingData.choose(padded(coding=20, none=5), SAMPLE)
    assert training_data.fit_classifier().categories == ("coding", "other", "x")
    assert training_data.rows.categories.count("coding") == 20


def test_two_categories_of_the_users_own_replace_the_sample():
    assert learnt_categories(padded(steuer=20, recht=20), SAMPLE) == ("recht", "steuer")
    assert learnt_categories(padded(steuer=20, coding=20), SAMPLE) == ("coding", "steuer")


def test_one_own_category_or_rare_ones_leave_the_sample_as_it_is():
    assert learnt_categories(padded(mixed=20), SAMPLE) == ("coding", "other", "x")
    assert learnt_categories(padded(steuer=3, recht=1, coding=2), SAMPLE) == ("coding", "other", "x")


def test_of_a_frequent_category_only_so_many_rows_are_learnt():
    training_data = CategoryTrainingData.choose(examples(a=2 * MAX_PROMPTS, b=10), None)
    assert Counter(training_data.rows.categories) == {None: MAX_PROMPTS, "a": MAX_PROMPTS, "b": 10}


def test_the_probabilities_of_training_rows_are_out_of_fold():
    rows = examples(a=10, b=10)
    # One prompt of category a looks like b: only a classifier that has learnt it could know.
    odd = LabelledFeatures(np.hstack([rows.inputs, np.eye(20, dtype=np.float32)[:, :1]]), rows.categories)
    odd.inputs[0, :2] = odd.inputs[10, :2]
    training_data = CategoryTrainingData.choose(odd, None)
    posterior = training_data.posterior(training_data.fit_classifier(), np.arange(20) % 5)
    assert posterior[0].argmax() == 1
    assert (posterior[1:10].argmax(axis=1) == 0).all()


def test_a_category_missing_from_a_fold_keeps_its_column():
    training_data = CategoryTrainingData.choose(examples(a=20, b=20, rare=5), None)
    classifier = training_data.fit_classifier()
    posterior = training_data.posterior(classifier, np.repeat([0, 1], [40, 5]))
    assert posterior.shape == (45, 3)
    assert classifier.categories == ("a", "b", "rare")
    assert not posterior[40:, 2].any()


def test_where_no_category_is_likely_the_answer_is_other_or_none():
    flat = np.full((1, 5), 0.2, dtype=np.float32)
    with_other = SoftmaxClassifier(("a", "b", "c", "d", "other"), np.zeros((1, 5), dtype=np.float32))
    assert with_other.decide(flat).tolist() == [4]
    assert SoftmaxClassifier(("a", "b", "c", "d", "e"), with_other.weights).decide(flat).tolist() == [-1]
    assert SoftmaxClassifier((), with_other.weights[:, :0]).decide(flat[:, :0]).tolist() == [-1]
