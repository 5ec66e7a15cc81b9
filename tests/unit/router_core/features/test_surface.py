"""Surface features: counts and shares of characters, options, questions."""

import numpy as np
import pytest

from router_core.features.surface import FEATURES, surface_features


def feature(text, name):
    return surface_features([text])[0][FEATURES.index(name)]


def test_surface_features_measure_digits_code_options_and_questions():
    assert feature("12ab", "digits") == 0.5
    assert feature("f(x); {}", "code") == pytest.approx(5 / 8)
    assert feature("Which?\nA) one\nB) two", "log_options") == pytest.approx(np.log1p(2))
    assert feature("Why?", "question_at_end") == 1
    assert feature("ä", "not_ascii") == 1


@pytest.mark.parametrize("text", ["", "\ud800", "\x00", "a" * 100_000])
def test_any_text_has_finite_features(text):
    assert np.isfinite(surface_features([text])).all()
