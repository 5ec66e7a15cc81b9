"""Periods of time as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tasks.errors import UsageError
from tasks.formats.periods import seconds_of


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("45s", 45), ("90m", 5400), ("12h", 43_200), ("30d", 2_592_000), ("2w", 1_209_600), (" 1.5H ", 5400)],
)
def test_a_period_is_a_number_and_a_unit(written: str, seconds: float) -> None:
    assert seconds_of(written) == seconds


def test_a_timedelta_is_taken_as_it_is() -> None:
    assert seconds_of(timedelta(days=1)) == 86_400


@pytest.mark.parametrize("written", ["", "30", "d", "30 days", "-1d", "0d", "1e3d", "nan d", "9999999w"])
def test_anything_else_is_refused(written: str) -> None:
    with pytest.raises(UsageError):
        seconds_of(written)
