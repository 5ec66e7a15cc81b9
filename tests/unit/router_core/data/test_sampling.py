"""The sample of prompts that all models answer."""

from collections import Counter

import pytest

from router_core.data.sampling import Candidate, NearDuplicates, Sampler


def chosen(prompts: list[tuple[str, str | None]], share: float, *, seed: int = 0) -> list[Candidate[int]]:
    sampler: Sampler[int] = Sampler(share, seed=seed)
    for number, (prompt, category) in enumerate(prompts):
        sampler.add(Candidate(prompt, category, number))
    return list(sampler.chosen())


def different(count: int, category: str | None) -> list[tuple[str, str | None]]:
    words = ["apple", "river", "prime", "stone", "cloud", "engine", "letter", "market", "window", "garden"]
    texts = (
        f"{category}: {words[n % 10]} and {words[n // 10 % 10]} with {words[n // 100]}" for n in range(count)
    )
    return [(text, category) for text in texts]


def test_each_category_gets_its_share_and_a_rare_one_gets_one() -> None:
    found = chosen([*different(400, "coding"), *different(100, "reasoning"), ("sing", "other")], 0.1)
    counts = Counter(one.category for one in found)
    assert counts == {"coding": 40, "reasoning": 10, "other": 1}


def test_the_same_prompts_are_chosen_in_any_order_and_others_by_another_seed() -> None:
    prompts = different(300, "coding")
    once = {one.prompt for one in chosen(prompts, 0.1)}
    assert {one.prompt for one in chosen(prompts[::-1], 0.1)} == once
    assert {one.prompt for one in chosen(prompts, 0.1, seed=1)} != once


def test_uncertain_prompts_are_chosen_more_often_and_the_others_too() -> None:
    sampler: Sampler[int] = Sampler(0.2)
    for number, (prompt, category) in enumerate(different(400, "coding")):
        sampler.add(Candidate(prompt, category, number, uncertainty=float(number % 2)))
    counts = Counter(one.uncertainty for one in sampler.chosen())
    assert counts.total() == 80
    assert 8 * counts[0.0] > 20, "the sample still covers all prompts"
    assert counts[1.0] > 4 * counts[0.0]


def test_of_near_duplicates_only_one_is_chosen() -> None:
    long = "Please write a short story about a lighthouse keeper who finds a letter in a bottle"
    prompts: list[tuple[str, str | None]] = [(f"{long} {number}", None) for number in range(20)]
    assert len(chosen([*prompts, ("What is a monoid?", None)], 1.0)) == 2


def test_case_and_blanks_make_no_difference_to_near_duplicates() -> None:
    seen = NearDuplicates()
    assert seen.add("Name three primes that end in seven")
    assert not seen.add("  name THREE primes\nthat end in seven ")
    assert seen.add("Name three rivers that end in the Black Sea")


@pytest.mark.parametrize("text", ["", "x", "\ud800", "日本"])
def test_short_and_odd_texts_are_accepted(text: str) -> None:
    seen = NearDuplicates()
    assert seen.add(text)
    assert not seen.add(text)


def test_a_share_of_0_is_refused() -> None:
    with pytest.raises(ValueError, match="share"):
        Sampler(0.0)
