"""The built-in sample of prompts with categories."""

from collections import Counter

import numpy as np

from router_core.data.categories import read_sample
from router_core.predictors.category_examples import LabelledFeatures

FIVE = ("mathematics", "coding", "reasoning", "summarization", "creative_writing")


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
