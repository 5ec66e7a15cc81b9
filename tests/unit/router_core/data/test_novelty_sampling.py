"""Prompts far from the labelled ones and from each other are sampled first."""

from collections import Counter

import numpy as np
import pytest

from router_core.data import novelty_sampling
from router_core.data.novelty_sampling import NoveltySampler, Position
from router_core.data.sampling import Candidate

WORDS = ["apple", "river", "prime", "stone", "cloud", "engine", "letter", "market", "window", "garden"]


def prompts(
    kind: str, count: int, *, centre: tuple[float, float], distance: float, novelty: float
) -> list[tuple[Candidate[str], Position]]:
    """Return prompts of one kind, near a centre that is so far from the labelled prompts."""
    random = np.random.default_rng(count)
    found = []
    for n in range(count):
        text = f"{kind}: {WORDS[n % 10]} and {WORDS[n // 10 % 10]} with {WORDS[n // 100 % 10]}"
        inputs = (np.array(centre) + 0.1 * random.normal(size=2)).astype(np.float32)
        found.append((Candidate(text, None, kind), Position(inputs, distance, novelty)))
    return found


def known() -> list[tuple[Candidate[str], Position]]:
    return prompts("known", 600, centre=(0.0, 0.0), distance=0.02, novelty=0.02)


def chosen(
    candidates: list[tuple[Candidate[str], Position]], share: float, *, seed: int = 0
) -> list[Candidate[str]]:
    sampler: NoveltySampler[str] = NoveltySampler(share, seed=seed)
    for one in candidates:
        sampler.add(*one)
    return list(sampler.chosen())


def test_prompts_unlike_the_labels_are_chosen_before_others() -> None:
    far = prompts("far", 60, centre=(5.0, 0.0), distance=25.0, novelty=1.0)
    found = chosen([*known(), *far], 0.05)
    assert len(found) == 33
    assert Counter(one.item for one in found)["far"] > 15


def test_one_far_cluster_does_not_take_all() -> None:
    clusters = [
        *prompts("farthest", 300, centre=(40.0, 0.0), distance=1600.0, novelty=1.0),
        *prompts("far", 60, centre=(0.0, 9.0), distance=81.0, novelty=0.97),
        *prompts("rare", 12, centre=(0.0, -9.0), distance=81.0, novelty=0.98),
    ]
    counts = Counter(one.item for one in chosen([*known(), *clusters], 0.02))
    assert counts.total() == 19
    assert min(counts[kind] for kind in ("farthest", "far", "rare")) >= 1
    assert counts["farthest"] < 15


def test_the_order_of_the_prompts_makes_no_difference_and_the_seed_does() -> None:
    candidates = [*known(), *prompts("far", 60, centre=(5.0, 0.0), distance=25.0, novelty=1.0)]
    once = [one.prompt for one in chosen(candidates, 0.05)]
    assert [one.prompt for one in chosen(candidates[::-1], 0.05)] == once
    assert [one.prompt for one in chosen(candidates, 0.05, seed=1)] != once


def test_memory_is_bounded_and_the_farthest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(novelty_sampling, "_KEPT", 50)
    far = prompts("far", 10, centre=(9.0, 0.0), distance=81.0, novelty=1.0)
    sampler: NoveltySampler[str] = NoveltySampler(0.02)
    for one in [*far, *known()]:
        sampler.add(*one)
        assert len(sampler._kept) <= 101
    assert Counter(one.item for one in sampler.chosen())["far"] >= 2


def test_near_duplicates_are_chosen_once_and_all_others_with_a_share_of_1() -> None:
    long = "Please write a short story about a lighthouse keeper who finds a letter in a bottle"
    position = Position(np.ones(2, dtype=np.float32), 1.0, 1.0)
    same = [(Candidate(f"{long} {n}", None, "same"), position) for n in range(20)]
    other = (Candidate("What is a monoid?", None, "other"), position)
    assert len(chosen([*same, other], 1.0)) == 2


def test_no_prompts_give_no_sample_and_a_share_of_0_is_refused() -> None:
    assert chosen([], 0.5) == []
    with pytest.raises(ValueError, match="share"):
        NoveltySampler(0.0)
