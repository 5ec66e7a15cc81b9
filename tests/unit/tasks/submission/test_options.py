"""The options of a new batch."""

from __future__ import annotations

import pytest

from tasks.errors import UsageError
from tasks.settings import DispatchSettings, Settings
from tasks.submission.options import options_for


def test_judging_and_collecting_need_no_price_for_a_budget_of_the_routing() -> None:
    settings = Settings(
        models=({"name": "free", "litellm": "ollama/free", "allow_unpriced": True},),  # type: ignore[arg-type]
        router={"policy": "budget", "budget_per_1000": 1.0},  # type: ignore[arg-type]
    )
    assert options_for(settings, models=["free"], routes=False).models == ("free",)
    with pytest.raises(UsageError, match="needs the price of every model; not known: free"):
        options_for(settings, models=["free"])


def test_a_group_is_no_larger_than_what_a_process_calls_at_once() -> None:
    """Else requests would wait in one process while the others are idle."""
    model = {"name": "free", "litellm": "ollama/free", "allow_unpriced": True}
    sizes = [
        options_for(Settings(models=(model,), dispatch={"in_flight": in_flight})).group_size  # type: ignore[arg-type]
        for in_flight in (4, 1_000)
    ]
    assert sizes == [4, DispatchSettings().group_size]
