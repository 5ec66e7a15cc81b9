"""The share of unfamiliar prompts and its limit."""

from dataclasses import replace

import numpy as np
import pytest

from router_core.hyperparameters import Hyperparameters, ShiftGuard
from router_core.monitoring.familiarity import Familiarity

GUARD = ShiftGuard({"saving": 0.0}, {"saving": 0.9, "quality": 0.5}, 0.0)
MEASURED = replace(Hyperparameters.conservative(1.0), shift=GUARD)


def test_a_prompt_is_unfamiliar_above_the_threshold_of_the_policy() -> None:
    novelty = np.array([0.1, 0.6, 0.9, 0.95, np.nan])
    assert Familiarity.of(novelty, MEASURED, "saving") == Familiarity(3, 1)
    assert Familiarity.of(novelty, MEASURED, "quality") == Familiarity(1, 3)


def test_a_router_that_does_not_measure_novelty_counts_nothing() -> None:
    assert Familiarity.of(np.array([0.95]), Hyperparameters.conservative(1.0), "saving") is None
    assert Familiarity.of(np.full(3, np.nan), MEASURED, "saving") is None


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
