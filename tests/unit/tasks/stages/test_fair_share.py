"""Fair sharing: batches that have work are served in proportion to their weights."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tasks.stages.fair_share import FairShare


def served(share: FairShare, weights: dict[int, float], turns: int, *, work: float = 1.0) -> list[int]:
    order = []
    for _ in range(turns):
        batch_no = share.turn(weights)
        share.serve(batch_no, work, weights[batch_no])
        order.append(batch_no)
    return order


def test_batches_of_one_weight_take_turns() -> None:
    assert served(FairShare(), {1: 1.0, 2: 1.0}, 6) == [1, 2, 1, 2, 1, 2]


def test_a_batch_that_comes_later_is_served_next_but_makes_up_for_nothing() -> None:
    share = FairShare()
    served(share, {1: 1.0}, 1000)
    assert served(share, {1: 1.0, 2: 1.0}, 5) in ([2, 1, 2, 1, 2], [1, 2, 1, 2, 1])


def test_among_equals_the_own_batch_comes_first() -> None:
    assert FairShare().turn({1: 1.0, 2: 1.0}, own=2) == 2
    assert FairShare().turn({1: 1.0, 2: 1.0}, own=7) == 1


@given(st.dictionaries(st.integers(1, 50), st.sampled_from([1.0, 4.0, 16.0]), min_size=2, max_size=6))
def test_each_batch_gets_its_share(weights: dict[int, float]) -> None:
    total = sum(weights.values())
    counts = Counter(served(FairShare(), weights, 3000))
    for batch_no, weight in weights.items():
        assert abs(counts[batch_no] - 3000 * weight / total) <= 1 + len(weights)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 64)), min_size=1, max_size=60))
def test_no_batch_with_work_waits_for_more_than_a_turn_of_each_other(sizes: list[tuple[int, int]]) -> None:
    """Whatever was served before, a batch with work is served within one turn of each other batch."""
    share = FairShare()
    for batch_no, work in sizes:
        share.serve(batch_no, work, 1.0)
    assert 9 in served(share, {1: 1.0, 2: 1.0, 3: 1.0, 9: 1.0}, 4, work=64.0)


def test_the_tags_of_batches_that_ended_are_forgotten() -> None:
    share = FairShare()
    for batch_no in range(5000):
        share.serve(batch_no, 1.0, 1.0)
        share.serve(0, 2.0, 1.0)
    assert len(share._tags) <= 1001
