"""A canary whose choices are judged worse is rolled back, even where exploration drew other models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from router_core.hyperparameters import Hyperparameters
from router_core.monitoring.canary import MIN_JUDGED
from router_core.predictors.ensemble import PARTS
from router_core.router import Router
from tasks.learning.off_policy_log import greedy_choice
from tasks.settings import Settings
from tasks.store.engine import Store
from tasks.store.learning.logged_choices import LoggedChoice
from tasks.store.routers import canary_stats, roles
from tasks.upkeep.canary import CanaryMonitor
from tests.support.routers import current_roles, explore_and_label, promote_router, start_canary


def test_a_canary_that_is_judged_worse_is_rolled_back_and_one_as_good_goes_on(
    sqlite: Store, settings: Settings, coder_and_writer: Router, tmp_path: Path
) -> None:
    # A router without margins, one like it, and one with its models swapped.
    hyperparameters = Hyperparameters.without_margins(np.full(len(PARTS), 1 / len(PARTS)), 1.0)
    right = replace(coder_and_writer, hyperparameters=hyperparameters)
    promote_router(sqlite, settings, right, tmp_path / "right")
    other_seed = replace(right, training={**right.training, "seed": 9})
    alike = start_canary(sqlite, other_seed, tmp_path / "alike", share=0.4)
    explore_and_label(sqlite, settings, tmp_path, share=0.4, number=400)
    monitor = CanaryMonitor(sqlite)
    monitor.check()
    assert current_roles(sqlite).canary == alike
    with sqlite.read() as connection:
        running = canary_stats.read(connection)
    assert running is not None
    assert running.judged_at is not None
    assert min(running.canary.quality.n, running.champion.quality.n) >= MIN_JUDGED

    swapped = replace(right, models=right.models[::-1])
    wrong = start_canary(sqlite, swapped, tmp_path / "wrong", share=0.4)
    monitor.check()
    assert current_roles(sqlite).canary == wrong, "nothing of it was judged yet"
    explore_and_label(sqlite, settings, tmp_path, share=0.4, number=400, start=5000)
    CanaryMonitor(sqlite).check()
    assert current_roles(sqlite).canary is None
    with sqlite.read() as connection:
        _, action, version, reason = roles.events(connection)[0]
    assert (action, version) == ("rolled_back", wrong)
    assert reason.startswith("judges give it 0.")


def test_the_routers_own_choice_is_known_even_if_another_model_was_drawn() -> None:
    def choice(propensity: float, epsilon: float, *, drawn: bool = True) -> LoggedChoice:
        return LoggedChoice(1, "a", ("a", "b"), propensity, epsilon, drawn, drawn)

    assert greedy_choice(choice(0.05, 0.1)) == "b"
    assert greedy_choice(choice(0.95, 0.1)) == "a"
    assert greedy_choice(choice(0.95, 0.1, drawn=False)) == "a"
    assert greedy_choice(choice(0.5, 1.0)) is None
