"""The options of a new batch."""

from __future__ import annotations

import pytest

from tasks.errors import UsageError
from tasks.settings import Settings
from tasks.submission.options import options_for


def test_judging_and_collecting_need_no_price_for_a_budget_of_the_routing() -> None:
    settings = Settings(
        models=({"name": "free", "litellm": "ollama/free", "allow_unpriced": True},),  # type: ignore[arg-type]
        router={"policy": "budget", "budget_per_1000": 1.0},  # type: ignore[arg-type]
    )
    assert options_for(settings, models=["free"], routes=False).models == ("free",)
    with pytest.raises(UsageError, match="needs the price of every model; not known: free"):
        options_for(settings, models=["free"])
