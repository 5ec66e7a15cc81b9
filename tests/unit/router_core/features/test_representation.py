"""The representation of prompts."""

import numpy as np

from router_core.features.prompt_features import PromptFeatures
from router_core.features.representation import Representation


def test_the_representation_of_identical_prompts_is_finite_and_equal():
    vectors, texts = np.ones((3, 4), dtype=np.float32), ["same"] * 3
    features = PromptFeatures.of(vectors, texts)
    representation = Representation.fit(features).transform(features)
    assert np.isfinite(representation).all()
    assert (representation == representation[0]).all()
