"""The category detector as it is shipped: the default embedder, the built-in sample."""

import numpy as np

from router_core.data.categories import read_sample
from router_core.embedding.embedder import Embedder
from router_core.embedding.static_encoder import static_files
from router_core.predictors.category_classifier import NONE_FITS
from router_core.predictors.category_examples import CategoryTrainingData, LabelledFeatures
from tests.support.documents import documents
from workers.routers.embedders import static_folder


def test_the_category_of_at_least_85_percent_of_unseen_prompts_is_found():
    """Five folds, no document in two of them; over the five categories, `other` left out."""
    sample = read_sample()
    embedder = Embedder.from_files("static", static_files(static_folder(print)))
    lessons = CategoryTrainingData(
        LabelledFeatures.of(sample, embedder.encode([row.prompt for row in sample])), None
    )
    detector = lessons.fit_classifier()
    fold = np.random.default_rng(0).integers(5, size=len(sample))[documents(sample)]
    found = np.array(detector.categories)[detector.decide(lessons.posterior(detector, fold))]
    truth = np.array([row.category for row in sample])
    five = truth != NONE_FITS
    assert (found == truth)[five].mean() >= 0.85
    assert min((found == truth)[truth == category].mean() for category in set(truth[five])) >= 0.75
