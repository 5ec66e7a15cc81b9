"""A canary whose choices are judged worse is rolled back, even where exploration drew other models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from router_core.hyperparameters import Hyperparameters
from router_core.predictors.ensemble import PARTS
from router_core.router import Router
from tasks.learning.off_policy_log import greedy_choice
from tasks.settings import Settings
from tasks.store.engine import Store
from tasks.store.learning.logged_choices import LoggedChoice
from tasks.store.routers import roles
from tasks.upkeep.canary import CanaryMonitor
from tests.integration.routers import test_cold_start as cold_start
from tests.integration.routers.test_cold_start import promote
from tests.integration.routers.test_off_policy import explored
from tests.integration.routers.test_roles import current
from workers.routers import promotion

settings, sqlite = cold_start.settings, cold_start.sqlite


def start_canary(store: Store, router: Router, folder: Path) -> str:
    router.save(folder)
    version = promotion.resolve(store, str(folder))
    with store.write() as connection:
        roles.start_canary(connection, version, share=0.4)
    return version


def test_a_canary_that_is_judged_worse_is_rolled_back_and_one_as_good_goes_on(
    sqlite: Store, settings: Settings, coder_and_writer: Router, tmp_path: Path
) -> None:
    # A router without margins, one like it, and one with its models swapped.
    hyperparameters = Hyperparameters.without_margins(np.full(len(PARTS), 1 / len(PARTS)), 1.0)
    right = replace(coder_and_writer, hyperparameters=hyperparameters)
    promote(sqlite, settings, right, tmp_path / "right")
    alike = start_canary(sqlite, replace(right, training={**right.training, "seed": 9}), tmp_path / "alike")
    explored(sqlite, settings, tmp_path, share=0.4, number=400)
    monitor = CanaryMonitor(sqlite)
    monitor.check()
    assert current(sqlite).canary == alike

    wrong = start_canary(sqlite, replace(right, models=right.models[::-1]), tmp_path / "wrong")
    monitor.check()
    assert current(sqlite).canary == wrong, "none of its choices is judged yet"
    explored(sqlite, settings, tmp_path, share=0.4, number=400, start=5000)
    CanaryMonitor(sqlite).check()
    assert current(sqlite).canary is None
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
