"""New prompts like the training prompts raise no alarm, others do, and chunks add up to the whole."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router_core.monitoring.drift import Drift, DriftStatistic
from router_core.monitoring.drift_reference import MIN_PROMPTS, SAMPLED, DriftReference, DriftSums

KINDS, D = 4, 32
CENTRES = np.random.default_rng(7).normal(size=(KINDS + 1, D))


def prompts(n, *, seed, shares=(0.4, 0.3, 0.2, 0.1, 0.0)):
    """Unit vectors [n, D] about the centres of their kinds, and the kinds; training has not seen the last."""
    random = np.random.default_rng(seed)
    kind = random.choice(KINDS + 1, size=n, p=shares)
    vectors = CENTRES[kind] + random.normal(size=(n, D))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), np.where(kind < KINDS, kind, -1)


REFERENCE = DriftReference.of(*prompts(400, seed=0), categories=KINDS)
assert REFERENCE is not None


def drift(vectors, kinds, *, chunk=SAMPLED):
    parts = [
        REFERENCE.observe(vectors[start : start + chunk], kinds[start : start + chunk])
        for start in range(0, len(vectors), chunk)
    ]
    total = parts[0]
    for part in parts[1:]:
        total = part.add_bytes(total.to_bytes())
    return REFERENCE.drift(total)


def test_of_two_hundred_batches_like_the_training_prompts_hardly_one_is_flagged():
    sizes = [60, 200, 1000, 3000] * 50
    flagged = [drift(*prompts(n, seed=100 + i), chunk=n).high for i, n in enumerate(sizes)]
    assert sum(map(bool, flagged)) <= 3, flagged


def test_another_mix_of_categories_is_flagged():
    found = drift(*prompts(600, seed=1, shares=(0.1, 0.2, 0.3, 0.4, 0.0)))
    assert "categories" in found.high
    assert found.categories.value > 0.5


def test_a_third_of_a_new_kind_is_flagged_as_other_embeddings_far_from_every_label():
    found = drift(*prompts(600, seed=2, shares=(0.27, 0.2, 0.13, 0.07, 0.33)))
    assert {"embeddings", "uncovered"} <= set(found.high)
    assert found.uncovered.value > 0.2


def test_too_few_prompts_say_nothing():
    assert DriftReference.of(*prompts(MIN_PROMPTS - 1, seed=3), categories=KINDS) is None
    assert drift(*prompts(MIN_PROMPTS - 1, seed=3, shares=(0, 0, 0, 0, 1))) is None
    assert drift(*prompts(MIN_PROMPTS, seed=3)) is not None


def test_of_a_large_chunk_a_sample_is_looked_at_and_every_category_counted():
    found = drift(*prompts(1000, seed=4), chunk=1000)
    assert found.prompts == 1000
    assert found.sampled == SAMPLED


def test_kinds_that_alternate_in_a_chunk_are_all_looked_at():
    vectors, kinds = prompts(1024, seed=8, shares=(0.5, 0.5, 0, 0, 0))
    order = np.empty(1024, dtype=np.int64)
    half = np.argsort(kinds, kind="stable")
    order[::2], order[1::2] = half[:512], half[512:]
    found = drift(vectors[order], kinds[order], chunk=256)
    assert found.embeddings.value == pytest.approx(drift(vectors, kinds).embeddings.value, abs=0.05)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=8), st.integers(0, 1000))
def test_chunks_add_up_in_any_order(sizes, seed):
    parts = [REFERENCE.observe(*prompts(n, seed=seed + i)) for i, n in enumerate(sizes)]
    forward, backward = parts[0], parts[-1]
    for part in parts[1:]:
        forward = part.add_bytes(forward.to_bytes())
    for part in reversed(parts[:-1]):
        backward = part.add_bytes(backward.to_bytes())
    np.testing.assert_allclose(forward.values, backward.values, atol=1e-6)
    assert forward.values[0] == sum(sizes) == forward.values[3 : 4 + KINDS].sum()


@settings(max_examples=30, deadline=None)
@given(
    st.integers(MIN_PROMPTS, 300),
    st.integers(0, 10_000),
    st.lists(st.integers(0, 5), min_size=5, max_size=5).filter(any),
)
def test_figures_are_finite_and_never_below_zero(n, seed, weights):
    found = drift(*prompts(n, seed=seed, shares=np.array(weights) / sum(weights)), chunk=n)
    for figure in (found.categories, found.embeddings, found.uncovered):
        assert np.isfinite([figure.value, figure.limit]).all()
        assert figure.value >= 0
    assert found.embeddings.value <= 1
    assert found.uncovered.value <= 1
    assert Drift.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_equal_prompts_alone_do_not_break_it():
    vectors = np.ones((60, D), dtype=np.float32) / np.float32(D**0.5)
    reference = DriftReference.of(vectors, np.full(60, -1), categories=0)
    found = reference.drift(reference.observe(vectors, np.full(60, -1)))
    assert found.high == ()
    assert found.categories == DriftStatistic(0.0, found.categories.limit)


def test_a_reference_comes_back_from_its_bytes():
    again = DriftReference.from_bytes(REFERENCE.to_bytes())
    chunk = prompts(64, seed=5)
    np.testing.assert_allclose(again.observe(*chunk).values, REFERENCE.observe(*chunk).values)
    assert again.prompts == 400


def test_an_empty_chunk_adds_nothing():
    nothing = REFERENCE.observe(np.zeros((0, D), dtype=np.float32), np.zeros(0, dtype=np.int64))
    assert not nothing.values.any()
    assert DriftSums.from_bytes(nothing.to_bytes()).values.shape == nothing.values.shape


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
def test_a_figure_at_its_limit_is_not_high(value):
    assert not DriftStatistic(value, value).high
    assert DriftStatistic(value + 0.01, value).high
