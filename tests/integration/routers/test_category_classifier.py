"""The built-in category classifier: the default embedder and the built-in sample."""

import numpy as np

from router_core.data.categories import read_sample
from router_core.embedding.embedder import Embedder
from router_core.embedding.static_encoder import static_files
from router_core.predictors.category_classifier import NONE_FITS
from router_core.predictors.category_examples import CategoryTrainingData, LabelledFeatures
from tests.support.documents import documents
from workers.routers.embedders import static_folder


def test_the_category_of_at_least_85_percent_of_unseen_prompts_is_found():
    """Cross-validate in five folds by document, on the five categories without `other`."""
    sample = read_sample()
    embedder = Embedder.from_files("static", static_files(static_folder(print)))
    training_data = CategoryTrainingData(
        LabelledFeatures.of(sample, embedder.encode([row.prompt for row in sample])), None
    )
    classifier = training_data.fit_classifier()
    fold = np.random.default_rng(0).integers(5, size=len(sample))[documents(sample)]
    found = np.array(classifier.categories)[classifier.decide(training_data.posterior(classifier, fold))]
    truth = np.array([row.category for row in sample])
    five = truth != NONE_FITS
    assert (found == truth)[five].mean() >= 0.85
    shares = {category: (found == truth)[truth == category].mean() for category in set(truth[five])}
    assert {category: share for category, share in shares.items() if share < 0.75} == {}
