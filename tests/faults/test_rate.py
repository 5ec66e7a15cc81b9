"""Rate limits are nearly used up, and hardly a call is refused, by both transports: part of `make faults`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

import pytest

from tasks.providers.interface import Transport
from tests.benchmarks.bench_rate_limit import measure

pytestmark = pytest.mark.skipif(
    os.environ.get("FAULTS", "quick") == "quick", reason="only with `make faults`"
)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("transport", get_args(Transport))
def test_four_workers_at_600_a_minute_use_nine_tenths_of_it_and_are_hardly_refused(
    transport: Transport, tmp_path: Path
) -> None:
    """By the simulator's count; the limit is its own, a bucket that holds a second's worth."""
    found = measure(tmp_path, seconds=30, rpm=600, burst_s=1.0, transport=transport)
    print(f"{transport}: used {found.used:.3f} of the rate, {found.refused} of {found.calls} calls refused")
    assert found.refused < 0.01 * found.calls
    assert found.used >= 0.9
