"""The capacity model of docs/capacity.md next to measured rates.

    python tests/benchmarks/bench_capacity.py

One dispatch process on this machine, the direct transport or LiteLLM, at several latencies and numbers in
flight. The rate is that of the middle half of each batch: neither the first claims nor the slowest last call
count. Predicted: the smaller of what the calls in flight allow (in flight / mean latency) and what one core
allows (1 / processor time per call, by the table of the page).
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tasks.settings import DispatchSettings  # noqa: E402
from tests.benchmarks.bench_dispatch import SIGMA, WARM_UP, Run, open_stack, provider, requests, send  # noqa: E402
from tests.support.stack import Stack  # noqa: E402

#: processor time of a dispatch process per call, in seconds: the table of docs/capacity.md
COST_S = {"direct": 0.0007, "litellm": 0.0020}


@dataclass(frozen=True)
class Point:
    """One measurement: calls to make, in flight at once, at this median latency."""

    transport: str
    calls: int
    in_flight: int
    latency_ms: float

    @property
    def predicted(self) -> float:
        """Calls per second."""
        mean_s = self.latency_ms / 1000 * math.exp(SIGMA**2 / 2)
        by_flight = self.in_flight / mean_s if mean_s else math.inf
        return min(by_flight, 1 / COST_S[self.transport])


POINTS = (
    Point("direct", 400, 16, 500),
    Point("direct", 1_500, 64, 500),
    Point("direct", 1_500, 256, 2_000),
    Point("direct", 6_000, 256, 0),
    Point("litellm", 1_500, 64, 500),
    Point("litellm", 2_000, 256, 0),
)


def main() -> None:
    """Print a table: predicted and measured calls per second."""
    print("| transport | in flight | median latency | predicted | measured | measured / predicted |")
    print("|---|---|---|---|---|---|")
    quick = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    quick.add_argument("--quick", action="store_true", help="the first point only")
    for point in POINTS[:1] if quick.parse_args().quick else POINTS:
        rate = measure(point)
        print(
            f"| {point.transport} | {point.in_flight} | {point.latency_ms:.0f} ms "
            f"| {point.predicted:.0f}/s | {rate:.0f}/s | {rate / point.predicted:.2f} |",
            flush=True,
        )


def measure(point: Point) -> float:
    """Calls per second over the middle half of a batch."""
    run = Run(
        transport=point.transport,
        calls=point.calls,
        in_flight=point.in_flight,
        processes=1,
        latency_ms=point.latency_ms,
        failing=False,
        timeout_s=60.0,
    )
    with (
        provider(run) as simulator,
        tempfile.TemporaryDirectory(prefix="waybill-bench-") as folder,
        open_stack(run, simulator, Path(folder)) as (stack, _),
    ):
        send(stack, WARM_UP, seed="warm")
        batch_id = stack.submit(requests(point.calls, seed="bench"), group_size=DispatchSettings().group_size)
        began, first = reach(stack, batch_id, point.calls // 4)
        ended, last = reach(stack, batch_id, point.calls * 3 // 4)
        stack.wait(batch_id)
        return (last - first) / (ended - began)


def reach(stack: Stack, batch_id: str, number: int) -> tuple[float, int]:
    """Wait for that many answers; returns the time and how many there are."""
    row = stack.wait(batch_id, until=lambda row: row["succeeded"] >= number, timeout_s=600)
    return time.monotonic(), row["succeeded"]


if __name__ == "__main__":
    main()
