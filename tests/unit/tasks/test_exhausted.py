"""What a batch whose budget was used up is told to do."""

from __future__ import annotations

import pytest

from tasks.store.health.exhausted import exhausted_text


@pytest.mark.parametrize(
    ("purpose", "advice"),
    [
        ("answer", "retry with a larger budget (`waybill submit --dry-run` estimates the cost)"),
        ("collect", "retry with a larger budget (`waybill collect --dry-run` estimates the cost)"),
        ("judge", "judge again with a larger budget (`waybill judge --dry-run` estimates the cost)"),
    ],
)
def test_where_not_one_call_has_fitted_the_dry_run_of_its_command_is_named(purpose: str, advice: str) -> None:
    row = {"purpose": purpose, "budget_stops": 2, "budget": 10, "no": 1}
    expected = f"2 requests did not fit the budget of $1e-05: not one call has fitted: {advice}"
    assert exhausted_text(row, None) == expected
