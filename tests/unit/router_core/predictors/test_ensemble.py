"""The weights with which the predictors are blended."""

import numpy as np
import pytest

from router_core.predictors.ensemble import PARTS, SMALL_TRAINING_SET, blend_weights

NAN = float("nan")


def ones(n):
    return np.ones(n, dtype=np.float32)


def parts_of(**given):
    """Return parts [parts, n, m]; those that are not given predict 0."""
    first = next(iter(given.values()))
    return np.stack([given.get(name, np.zeros_like(first)) for name in PARTS])


def weights_of(residuals, weights=None, **given):
    parts = parts_of(**given)
    fitted = blend_weights(parts, residuals, ones(len(residuals)) if weights is None else weights)
    return dict(zip(PARTS, fitted, strict=True))


def test_the_blend_is_half_an_even_one_and_half_the_best_fitting_one():
    random = np.random.default_rng(0)
    residuals, noise = (random.normal(size=(2000, 3)).astype(np.float32) for _ in range(2))
    weights = weights_of(residuals, memory=residuals / 2, linear=residuals + noise)
    # The best fit takes the first alone, twice. The even blend scales it by 2 and the noisy one by 1/2,
    # halves both, and is then 1.2 times too small: (2 / 2 * 1.2 + 2) / 2 and (1/2 / 2 * 1.2 + 0) / 2.
    assert weights["memory"] == pytest.approx(1.6, abs=0.05)
    assert weights["linear"] == pytest.approx(0.15, abs=0.02)


def test_each_part_is_scaled_to_the_residuals():
    residuals = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    half, double = (residuals * factor for factor in (0.5, 2.0))
    residuals[::7, 0] = NAN
    assert weights_of(residuals, memory=half)["memory"] == pytest.approx(2, abs=0.01)
    assert weights_of(residuals, linear=double)["linear"] == pytest.approx(0.5, abs=0.01)


def test_parts_that_are_noise_or_wrong_get_no_weight():
    random = np.random.default_rng(0)
    residuals, noise = (random.normal(size=(500, 3)).astype(np.float32) for _ in range(2))
    weights = weights_of(residuals, cluster_means=noise, memory=residuals, linear=-residuals)
    assert weights["memory"] == pytest.approx(1, abs=0.02)
    assert weights["cluster_means"] == pytest.approx(0, abs=0.03)
    assert weights["linear"] == 0
    assert weights_of(residuals, linear=-residuals) == dict.fromkeys(PARTS, 0)


def test_parts_are_scaled_by_the_weighted_prompts():
    residuals = np.repeat(np.array([[1.0], [-1.0]], dtype=np.float32), 50, axis=0)
    counts = np.repeat(np.array([1.0, 0.0], dtype=np.float32), 50)
    assert weights_of(residuals, counts, memory=np.ones((100, 1), np.float32))["memory"] == pytest.approx(1)


@pytest.mark.parametrize(("prompts", "counts"), [(SMALL_TRAINING_SET - 1, True), (SMALL_TRAINING_SET, False)])
def test_means_by_category_count_while_prompts_are_too_few_for_clusters(prompts: int, counts: bool) -> None:
    random = np.random.default_rng(0)
    residuals = random.normal(size=(prompts, 3)).astype(np.float32)
    parts = np.stack([residuals + random.normal(size=residuals.shape) for _ in PARTS]).astype(np.float32)
    weights = blend_weights(parts, residuals, np.ones(prompts, dtype=np.float32))
    assert (weights[PARTS.index("category_means")] > 0) == counts
    assert weights[PARTS.index("cluster_means")] > 0
