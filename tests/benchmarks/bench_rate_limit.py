"""How close four worker processes come to a provider's limit, and how often they are refused.

    python tests/benchmarks/bench_rate_limit.py [SECONDS] [--rpm 600] [--burst-s 1]

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
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="waybill-rate-") as folder, SimulatorProcess() as simulator:
        simulator.client.behave(MODEL, rpm=options.rpm, limit_burst_s=options.burst_s)
        limited = {MODEL: {"rpm": options.rpm, "transport": "direct"}}
        with Stack(Path(folder), simulator=simulator, models=limited) as stack:
            measure(stack, simulator, options)


def measure(stack: Stack, simulator: SimulatorProcess, options: argparse.Namespace) -> None:
    workers = [stack.start("dispatch", "--concurrency", "1") for _ in range(WORKERS)]
    workers.append(stack.start("upkeep"))
    stack.await_ready(*workers[:WORKERS])
    calls = int(options.rpm * (options.seconds + WARM_UP_S) / 60 * 1.2)
    stack.submit([{"prompt": f"prompt {n}", "model": MODEL} for n in range(calls)])
    while not answers(simulator)[0]:
        time.sleep(0.1)
    time.sleep(WARM_UP_S)
    began, before = time.monotonic(), answers(simulator)
    time.sleep(options.seconds)
    took, after = time.monotonic() - began, answers(simulator)
    let_in, refused = (end - start for start, end in zip(before, after, strict=True))
    used = let_in / (options.rpm * took / 60)
    print(f"{WORKERS} workers, {options.rpm} requests/min, bursts of {options.burst_s:g} s, {took:.0f} s")
    print(f"used {100 * used:.1f} % of the allowed rate; load {os.getloadavg()[0]:.1f}")
    calls = let_in + refused
    print(f"{refused} of {calls} calls refused with 429 ({100 * refused / calls:.2f} %)")


def answers(simulator: SimulatorProcess) -> tuple[int, int]:
    """Calls let in and calls refused so far."""
    seen = simulator.client.stats()["models"].get(MODEL, {"received": 0, "by_status": {}})
    refused = int(seen["by_status"].get("429", 0))
    return int(seen["received"]) - refused, refused


if __name__ == "__main__":
    main()
