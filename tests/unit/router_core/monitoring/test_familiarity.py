"""The share of unfamiliar prompts and its limit."""

import numpy as np
import pytest

from router_core.monitoring.familiarity import Familiarity


def test_the_unfamiliar_prompts_are_the_sum_of_the_novelty() -> None:
    assert Familiarity.of(np.array([0.1, 0.1, 0.9, 0.9, np.nan])) == Familiarity(2, 2)


def test_a_router_that_does_not_measure_novelty_counts_nothing() -> None:
    assert Familiarity.of(np.full(3, np.nan)) is None
    assert Familiarity.of(np.zeros(0)) is None


def test_a_large_share_is_high_and_few_prompts_say_nothing() -> None:
    many = Familiarity(100, 50)
    assert not Familiarity(100, 10).high
    assert many.high
    assert many.share is not None
    assert many.share.value == pytest.approx(1 / 3)
    assert not Familiarity(0, 20).high
    assert Familiarity(0, 0).share is None


def test_counts_of_chunks_are_added() -> None:
    assert Familiarity(1, 2) + Familiarity(3, 4) == Familiarity(4, 6)
