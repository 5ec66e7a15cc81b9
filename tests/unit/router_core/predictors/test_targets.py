"""Targets: scores as the sum of a model's mean, a prompt effect and a residual."""

import numpy as np

from router_core.predictors.targets import fit_additive_effects

NAN = float("nan")


def test_a_score_is_the_models_mean_plus_the_prompts_effect_plus_a_residual():
    scores = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [1.0, 0.0]] * 50)
    prior, residuals = fit_additive_effects(scores)
    assert prior[0] > prior[1]
    np.testing.assert_allclose(residuals.sum(axis=1), 0, atol=1e-5)
    assert residuals[0, 0] > 0 > residuals[2, 0]


def test_unknown_scores_stay_unknown_and_do_not_move_the_means():
    effect = np.random.default_rng(0).random((400, 1))
    scores = effect + np.array([[0.2, 0.1, 0.0]])
    scores[(effect[:, 0] < 0.5), 2] = NAN
    prior, residuals = fit_additive_effects(scores)
    assert prior.argmax() == 0
    assert np.isnan(residuals).sum() == np.isnan(scores).sum()


def test_a_prompt_counts_as_much_as_its_weight():
    scores = np.array([[1.0, 0.0], [0.0, 1.0]] * 50)
    assert fit_additive_effects(scores, np.tile([3.0, 1.0], 50))[0].argmax() == 0
    assert fit_additive_effects(scores, np.tile([1.0, 3.0], 50))[0].argmax() == 1


def test_a_model_with_few_scores_stays_close_to_its_prior_and_without_one_to_all_models():
    scores = np.array([[0.8, 0.4, NAN]] * 200)
    scores[:3, 2] = 1.0
    means = {
        prior: fit_additive_effects(scores, None, np.array([NAN, NAN, prior]))[0] for prior in (NAN, 0.1, 0.9)
    }
    assert means[0.1][2] < means[NAN][2] < means[0.9][2]
    scores[:, 2] = 0.6
    assert abs(fit_additive_effects(scores, None, np.array([NAN, NAN, 0.1]))[0][2] - 0.6) < 0.05


def test_a_few_lucky_scores_do_not_make_a_model_the_best():
    scores = np.array([[0.0, 1.0, NAN], [1.0, 0.0, NAN]] * 80)
    scores[:6, 2] = 9.0
    assert fit_additive_effects(scores)[0].argmax() != 2
    assert fit_additive_effects(scores, None, np.array([NAN, NAN, 9.0]))[0].argmax() != 2
    scores[:60, 2] = 9.0
    assert fit_additive_effects(scores)[0].argmax() == 2
