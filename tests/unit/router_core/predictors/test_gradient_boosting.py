"""Gradient boosting: a regressor for each model, overall and by category."""

import numpy as np

from router_core.predictors.gradient_boosting import CategoryRegressors, Regressors

NAN = float("nan")


def ones(n):
    return np.ones(n, dtype=np.float32)


def test_a_model_with_too_few_or_constant_scores_gets_no_regressor():
    inputs = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    residuals = np.stack([inputs[:, 0], np.zeros(200), np.where(np.arange(200) < 20, 1.0, NAN)], axis=1)
    fitted = Regressors.fit(inputs, residuals.astype(np.float32), ones(200), seed=0, threads=1)
    assert [text != "" for text in fitted.texts] == [True, False, False]
    predicted = fitted.predict(inputs)
    assert np.corrcoef(predicted[:, 0], inputs[:, 0])[0, 1] > 0.9
    assert not predicted[:, 1:].any()


def test_a_categorys_regressors_touch_only_its_own_prompts():
    inputs = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)
    category = np.repeat([0, 1], [390, 10])
    fitted = CategoryRegressors.fit(inputs, inputs, ones(400), category, seed=0, threads=1)
    assert set(fitted.by_category) == {0}
    overall = np.zeros((400, 3), dtype=np.float32)
    predicted = fitted.predict(inputs, overall, category)
    assert predicted[:390].any()
    assert not predicted[390:].any()
