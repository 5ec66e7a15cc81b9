"""What choices within a budget cost, against what they may."""

from __future__ import annotations

import numpy as np

from router_core.policy.budget_use import BudgetUse

COSTS = np.array([[0.001, 0.004], [0.002, 0.006]])


def test_a_budget_that_is_kept_over_all_chunks_is_not_spoken_of() -> None:
    use = BudgetUse(3.0)
    assert use.warning() is None
    use.add(np.array([1, 0]), COSTS)
    assert use.warning() is None
    use.add(np.array([0, 0]), COSTS)
    assert use.warning() is None


def test_a_budget_that_is_exceeded_is_told_with_what_is_spent_and_what_the_cheapest_would() -> None:
    use = BudgetUse(1.0)
    use.add(np.array([0, 1]), COSTS)
    assert use.warning() == (
        "the routing budget of $1 per 1,000 prompts cannot be kept: $3.5 is expected,"
        " and $1.5 if the cheapest model that can answer takes each"
    )


def test_a_cheaper_model_that_cannot_answer_is_no_way_to_keep_it() -> None:
    use = BudgetUse(1.0)
    use.add(np.array([1, 1]), COSTS, np.array([[False, True], [False, True]]))
    assert "$5 is expected, and $5 if the cheapest" in (use.warning() or "")
