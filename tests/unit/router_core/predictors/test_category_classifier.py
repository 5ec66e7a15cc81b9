"""The softmax classifier."""

import numpy as np

from router_core.predictors.category_classifier import SoftmaxClassifier


def test_the_classifier_gives_probabilities_over_the_categories_it_was_trained_on():
    inputs = np.repeat(np.eye(3, dtype=np.float32), 20, axis=0)
    labels = ["a"] * 20 + ["b"] * 20 + [None] * 17 + ["rare"] * 3
    classifier = SoftmaxClassifier.fit(inputs, labels)
    posterior = classifier.posterior(inputs)
    assert classifier.categories == ("a", "b")
    np.testing.assert_allclose(posterior.sum(axis=1), 1, rtol=1e-5)
    assert (posterior[:20, 0] > 0.9).all()


def test_where_no_category_is_likely_the_answer_is_other_or_none():
    flat = np.full((1, 5), 0.2, dtype=np.float32)
    with_other = SoftmaxClassifier(("a", "b", "c", "d", "other"), np.zeros((1, 5), dtype=np.float32))
    assert with_other.decide(flat).tolist() == [4]
    assert SoftmaxClassifier(("a", "b", "c", "d", "e"), with_other.weights).decide(flat).tolist() == [-1]
    assert SoftmaxClassifier((), with_other.weights[:, :0]).decide(flat[:, :0]).tolist() == [-1]
