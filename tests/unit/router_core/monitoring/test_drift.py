"""Drift: no false alarms on prompts like the training prompts, alarms on others, and sums over chunks."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router_core.monitoring.drift import Drift, DriftStatistic
from router_core.monitoring.drift_reference import MIN_PROMPTS, SAMPLE_SIZE, DriftReference, DriftSums

CATEGORIES, DIMENSION = 4, 32
#: The centres of the categories and of a new kind of prompts, which training has not seen.
CENTRES = np.random.default_rng(7).normal(size=(CATEGORIES + 1, DIMENSION))


def prompts(n, *, seed, shares=(0.4, 0.3, 0.2, 0.1, 0.0)):
    """Return unit vectors [n, DIMENSION] around the centres, drawn by shares, and their categories [n]."""
    random = np.random.default_rng(seed)
    centre = random.choice(CATEGORIES + 1, size=n, p=shares)
    vectors = CENTRES[centre] + random.normal(size=(n, DIMENSION))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), np.where(centre < CATEGORIES, centre, -1)


REFERENCE = DriftReference.of(*prompts(400, seed=0), categories=CATEGORIES)
assert REFERENCE is not None


def drift(vectors, categories, *, chunk=SAMPLE_SIZE):
    """Return the drift of prompts that are observed chunk by chunk."""
    parts = [
        REFERENCE.observe(vectors[start : start + chunk], categories[start : start + chunk])
        for start in range(0, len(vectors), chunk)
    ]
    total = parts[0]
    for part in parts[1:]:
        total = part.add_bytes(total.to_bytes())
    return REFERENCE.drift(total)


def test_of_200_batches_like_the_training_prompts_at_most_3_are_flagged():
    sizes = [60, 200, 1000, 3000] * 50
    flagged = [drift(*prompts(n, seed=100 + i), chunk=n).high for i, n in enumerate(sizes)]
    assert sum(map(bool, flagged)) <= 3, flagged


def test_another_mix_of_categories_is_flagged():
    measured = drift(*prompts(600, seed=1, shares=(0.1, 0.2, 0.3, 0.4, 0.0)))
    assert "categories" in measured.high
    assert measured.categories.value > 0.5


def test_a_third_of_a_new_kind_is_flagged_by_its_embeddings_and_as_uncovered():
    measured = drift(*prompts(600, seed=2, shares=(0.27, 0.2, 0.13, 0.07, 0.33)))
    assert {"embeddings", "uncovered"} <= set(measured.high)
    assert measured.uncovered.value > 0.2


def test_with_too_few_prompts_nothing_is_compared():
    assert DriftReference.of(*prompts(MIN_PROMPTS - 1, seed=3), categories=CATEGORIES) is None
    assert drift(*prompts(MIN_PROMPTS - 1, seed=3, shares=(0, 0, 0, 0, 1))) is None
    assert drift(*prompts(MIN_PROMPTS, seed=3)) is not None


def test_the_embeddings_of_a_large_chunk_are_sampled_and_all_its_categories_counted():
    measured = drift(*prompts(1000, seed=4), chunk=1000)
    assert measured.prompts == 1000
    assert measured.sampled == SAMPLE_SIZE


def test_prompts_of_alternating_categories_are_sampled_from_all_of_them():
    vectors, categories = prompts(1024, seed=8, shares=(0.5, 0.5, 0, 0, 0))
    order = np.empty(1024, dtype=np.int64)
    by_category = np.argsort(categories, kind="stable")
    order[::2], order[1::2] = by_category[:512], by_category[512:]
    alternating = drift(vectors[order], categories[order], chunk=256)
    assert alternating.embeddings.value == pytest.approx(
        drift(vectors, categories).embeddings.value, abs=0.05
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=8), st.integers(0, 1000))
def test_the_sums_of_chunks_can_be_added_in_any_order(sizes, seed):
    parts = [REFERENCE.observe(*prompts(n, seed=seed + i)) for i, n in enumerate(sizes)]
    forward, backward = parts[0], parts[-1]
    for part in parts[1:]:
        forward = part.add_bytes(forward.to_bytes())
    for part in reversed(parts[:-1]):
        backward = part.add_bytes(backward.to_bytes())
    np.testing.assert_allclose(forward.values, backward.values, atol=1e-6)
    assert forward.values[0] == sum(sizes) == forward.values[3 : 4 + CATEGORIES].sum()


@settings(max_examples=30, deadline=None)
@given(
    st.integers(MIN_PROMPTS, 300),
    st.integers(0, 10_000),
    st.lists(st.integers(0, 5), min_size=5, max_size=5).filter(any),
)
def test_statistics_are_finite_and_never_negative(n, seed, weights):
    measured = drift(*prompts(n, seed=seed, shares=np.array(weights) / sum(weights)), chunk=n)
    for statistic in (measured.categories, measured.embeddings, measured.uncovered):
        assert np.isfinite([statistic.value, statistic.limit]).all()
        assert statistic.value >= 0
    assert measured.embeddings.value <= 1
    assert measured.uncovered.value <= 1
    assert Drift.from_dict(json.loads(json.dumps(measured.to_dict()))) == measured


def test_training_prompts_with_equal_embeddings_show_no_drift():
    vectors = np.ones((60, DIMENSION), dtype=np.float32) / np.float32(DIMENSION**0.5)
    reference = DriftReference.of(vectors, np.full(60, -1), categories=0)
    measured = reference.drift(reference.observe(vectors, np.full(60, -1)))
    assert measured.high == ()
    assert measured.categories == DriftStatistic(0.0, measured.categories.limit)


def test_a_reference_is_rebuilt_from_its_bytes():
    rebuilt = DriftReference.from_bytes(REFERENCE.to_bytes())
    chunk = prompts(64, seed=5)
    np.testing.assert_allclose(rebuilt.observe(*chunk).values, REFERENCE.observe(*chunk).values)
    assert rebuilt.prompts == 400


def test_an_empty_chunk_adds_nothing():
    sums = REFERENCE.observe(np.zeros((0, DIMENSION), dtype=np.float32), np.zeros(0, dtype=np.int64))
    assert not sums.values.any()
    assert DriftSums.from_bytes(sums.to_bytes()).values.shape == sums.values.shape


def test_training_writes_the_reference_and_older_routers_have_none(router, unseen, tmp_path):
    from dataclasses import replace

    from router_core.router import Router

    router.save(tmp_path / "new")
    loaded = Router.load(tmp_path / "new")
    assert loaded.drift_reference.prompts == 400
    rows, vectors = unseen
    chosen = loaded.route(vectors, [row.prompt for row in rows])
    assert loaded.drift_reference.drift(loaded.drift_reference.observe(vectors, chosen.category)).high == ()
    other = loaded.drift_reference.drift(loaded.drift_reference.observe(-vectors[:, ::-1], chosen.category))
    assert "embeddings" in other.high
    replace(router, drift_reference=None).save(tmp_path / "old")
    assert Router.load(tmp_path / "old").drift_reference is None


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_a_statistic_at_its_limit_is_not_high(value):
    assert not DriftStatistic(value, value).high
    assert DriftStatistic(value + 0.01, value).high
