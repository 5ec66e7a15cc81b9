"""The category classifier's training data: the user's own rows, the sample, or both."""

from collections import Counter

import numpy as np

from router_core.predictors.category_examples import MAX_PROMPTS, CategoryTrainingData, LabelledFeatures


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
