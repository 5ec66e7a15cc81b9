"""The share of new prompts in a batch and around each prompt decides with its own signals how new it is."""

from __future__ import annotations

import numpy as np
import pytest

from router_core.predictors.batch_novelty import NEIGHBOURS, adjusted_to_batch, adjusted_to_neighbours
from router_core.predictors.novelty import GroupGaussians, NoveltyMeasure
from router_core.training.shift_tuning import THRESHOLDS


def kinds_in_turn(count: int, *, apart: float = 1.0):
    """Return log odds and representations of familiar and new prompts in turn, each kind at its own place."""
    random = np.random.default_rng(8)
    is_new = np.arange(count) % 2 == 1
    places = np.where(is_new[:, None], [0.0, apart, 0.0], [apart, 0.0, 0.0])
    representation = (places + random.normal(size=(count, 3)) * 0.2).astype(np.float32)
    # Of normal variables with means -1 and 1 and variance 2, the log odds are the values themselves.
    return random.normal(np.where(is_new, 1.0, -1.0), np.sqrt(2.0)), representation


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_the_mean_novelty_of_a_batch_is_the_share_of_its_unfamiliar_prompts(share):
    random = np.random.default_rng(3)
    is_new = random.random(2000) < share
    # Of normal variables with means -2 and 2 and variance 4, the log odds are the values themselves.
    log_odds = random.normal(np.where(is_new, 2.0, -2.0), 2.0)
    assert adjusted_to_batch(log_odds).mean() == pytest.approx(share, abs=0.04)


def test_a_prompt_is_newer_among_new_prompts_than_among_familiar_ones():
    edge = [0.0]
    among_familiar = adjusted_to_batch(np.array(edge + [-3.0] * 50))[0]
    alone = adjusted_to_batch(np.array(edge))[0]
    among_new = adjusted_to_batch(np.array(edge + [3.0] * 50))[0]
    assert among_familiar < alone < among_new > 0.8


def test_a_prompt_alone_is_held_at_the_highest_threshold_if_it_looks_new_rather_than_familiar():
    [rather_familiar], [rather_new] = adjusted_to_batch(np.array([-0.1])), adjusted_to_batch(np.array([0.1]))
    assert rather_familiar < max(THRESHOLDS) < rather_new


def test_a_few_prompts_that_look_rather_familiar_are_not_held():
    together = adjusted_to_batch(np.array([-2.0, -1.0, -1.0, -1.0, -0.5] * 4))
    assert together.max() < 0.1


def test_no_prompts_have_no_novelty():
    assert adjusted_to_batch(np.zeros(0)).shape == (0,)


def test_a_prompt_is_newer_where_its_neighbours_are_new():
    log_odds, representation = kinds_in_turn(400)
    log_odds[:2] = 0.0
    familiar, new = adjusted_to_neighbours(log_odds, representation, neighbours=NEIGHBOURS)[:2]
    assert new - familiar > 0.2
    assert np.ptp(adjusted_to_batch(log_odds)[:2]) == 0


def test_neighbours_tell_kinds_apart_that_single_prompts_do_not():
    log_odds, representation = kinds_in_turn(400)
    alone, together = (
        adjusted_to_neighbours(log_odds, representation, neighbours=count) for count in (0, NEIGHBOURS)
    )
    is_new = np.arange(400) % 2 == 1
    assert ((alone > 0.5) == is_new).mean() < 0.8
    assert ((together > 0.5) == is_new).mean() > 0.9


def test_neighbours_that_are_no_kind_change_little():
    log_odds, representation = kinds_in_turn(400, apart=0.0)
    alone, together = (
        adjusted_to_neighbours(log_odds, representation, neighbours=count) for count in (0, NEIGHBOURS)
    )
    assert np.abs(alone - together).mean() < 0.1


@pytest.mark.parametrize("count", [0, 1, 2, NEIGHBOURS, 2_500])
def test_a_batch_of_any_size_is_adjusted(count: int):
    log_odds, representation = kinds_in_turn(count)
    novelty = adjusted_to_neighbours(log_odds, representation, neighbours=NEIGHBOURS)
    assert novelty.shape == (count,)
    assert ((novelty > 0) & (novelty < 1)).all()


def test_a_prompt_beyond_all_labels_stays_new_among_familiar_neighbours():
    log_odds, representation = kinds_in_turn(100)
    log_odds[0] = np.inf
    assert adjusted_to_neighbours(log_odds, representation, neighbours=NEIGHBOURS)[0] == 1


def test_equal_prompts_and_such_without_a_length_are_neighbours_too():
    novelty = adjusted_to_neighbours(
        np.full(20, 1.0), np.zeros((20, 3), dtype=np.float32), neighbours=NEIGHBOURS
    )
    assert np.ptp(novelty) < 1e-9


def test_a_measure_that_was_stored_before_neighbours_were_asked_asks_none():
    random = np.random.default_rng(4)
    gaussians = GroupGaussians.fit(
        random.normal(size=(400, 3)).astype(np.float32), np.repeat(np.arange(4), 100)
    )
    measure = NoveltyMeasure.fit(gaussians, random.normal(size=(400, 4)), random.normal(2.0, size=(400, 4)))
    asking = measure.with_neighbours()
    arrays = asking.arrays()
    assert NoveltyMeasure.from_arrays(arrays).neighbours == NEIGHBOURS
    del arrays["neighbours"]
    signals, representation = random.normal(0.5, size=(50, 4)), random.normal(size=(50, 3)).astype(np.float32)
    before = NoveltyMeasure.from_arrays(arrays).of_signals(signals, representation)
    assert (before == measure.of_signals(signals, representation)).all()
    assert (before != asking.of_signals(signals, representation)).any()
