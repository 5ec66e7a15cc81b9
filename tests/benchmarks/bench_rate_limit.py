"""How close four worker processes come to a provider's limit, and how often they are refused.

    python tests/benchmarks/bench_rate_limit.py [SECONDS] [--rpm 600] [--burst-s 1] [--transport direct]

Four `waybill worker dispatch` processes share `rpm` through Redis; the simulator enforces it with a token
bucket that holds `burst-s` seconds' worth, counting calls as they arrive. After ten seconds of start-up: the
share of the allowed rate that was used, and the share of calls that were refused with 429. The load of the
machine is printed: workers that get no processor use less.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.stack import Stack  # noqa: E402
from workers.simulator import SimulatorProcess  # noqa: E402

MODEL, WORKERS, WARM_UP_S = "sim-nano", 4, 10.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seconds", nargs="?", type=float, default=60.0)
    parser.add_argument("--rpm", type=int, default=600)
    parser.add_argument("--burst-s", type=float, default=1.0)
    parser.add_argument("--transport", choices=("direct", "litellm"), default="direct")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="waybill-rate-") as folder:
        found = measure(Path(folder), **vars(options))
    print(f"{WORKERS} workers, {options.rpm} requests/min by {options.transport}, {options.seconds:.0f} s")
    print(f"bursts of {options.burst_s:g} s; load {os.getloadavg()[0]:.1f}")
    print(f"used {100 * found.used:.1f} % of the allowed rate")
    print(
        f"{found.refused} of {found.calls} calls refused with 429 ({100 * found.refused / found.calls:.2f} %)"
    )


@dataclass(frozen=True)
class Use:
    """Calls made, those of them that were refused with 429, and the used share of the allowed rate."""

    calls: int
    refused: int
    used: float


def measure(folder: Path, *, seconds: float, rpm: int, burst_s: float, transport: str) -> Use:
    """What four workers make of a provider's limit."""
    with SimulatorProcess() as simulator:
        simulator.client.behave(MODEL, rpm=rpm, limit_burst_s=burst_s)
        limited = {MODEL: {"rpm": rpm, "transport": transport}}
        with Stack(folder, simulator=simulator, models=limited) as stack:
            return _measured(stack, simulator, seconds=seconds, rpm=rpm)


def _measured(stack: Stack, simulator: SimulatorProcess, *, seconds: float, rpm: int) -> Use:
    workers = [stack.start("dispatch", "--concurrency", "1") for _ in range(WORKERS)]
    workers.append(stack.start("upkeep"))
    stack.await_ready(*workers[:WORKERS])
    calls = int(rpm * (seconds + WARM_UP_S) / 60 * 1.2)
    stack.submit([{"prompt": f"prompt {n}", "model": MODEL} for n in range(calls)])
    while not answers(simulator)[0]:
        time.sleep(0.1)
    time.sleep(WARM_UP_S)
    began, before = time.monotonic(), answers(simulator)
    time.sleep(seconds)
    took, after = time.monotonic() - began, answers(simulator)
    let_in, refused = (end - start for start, end in zip(before, after, strict=True))
    return Use(let_in + refused, refused, let_in / (rpm * took / 60))


def answers(simulator: SimulatorProcess) -> tuple[int, int]:
    """Calls let in and calls refused so far."""
    seen = simulator.client.stats()["models"].get(MODEL, {"received": 0, "by_status": {}})
    refused = int(seen["by_status"].get("429", 0))
    return int(seen["received"]) - refused, refused


if __name__ == "__main__":
    main()
