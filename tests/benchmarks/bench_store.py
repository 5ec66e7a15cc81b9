"""Processor time that the store adds to each call: intake, claim, reservation, settlement.

    python tests/benchmarks/bench_store.py [--calls 6400] [--store-url URL]

The transactions of the dispatch stage, one after the other in this process, with 8 to 128 calls in each: how
many share one is decided by how fast calls end. Wall time includes every commit's way to the disk.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tasks.store.batch_options import BatchOptions  # noqa: E402
from tasks.store.engine import Store  # noqa: E402
from tasks.store.schema import ensure_schema  # noqa: E402
from tasks.store.values import RequestResult  # noqa: E402
from tests.support import store_builders  # noqa: E402

ANSWER = RequestResult(
    "succeeded", model="small", body=json.dumps({"text": "x" * 600}), status_code=200, latency_ms=7
)
TOGETHER = (8, 32, 128)


def main() -> None:
    """Print a table: microseconds of processor time per call."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=6_400)
    parser.add_argument("--store-url", help="another store than a new SQLite file")
    options = parser.parse_args()
    print("| calls in a transaction | intake | claim | reserve | settle | all, µs CPU a call | wall |")
    print("|---|---|---|---|---|---|---|")
    for together in TOGETHER:
        with tempfile.TemporaryDirectory(prefix="waybill-bench-") as folder:
            store = Store(options.store_url or f"sqlite:///{folder}/waybill.db")
            ensure_schema(store)
            print(row(store, options.calls, together), flush=True)
            store.close()


def row(store: Store, calls: int, together: int) -> str:
    """Take the calls of one batch through all of its transactions."""
    lines = [store_builders.line(n, body=f'{{"messages":["{n}{"x" * 300}"]}}') for n in range(1, calls + 1)]
    took: dict[str, float] = {}
    began = time.perf_counter()
    batch_no = timed(took, "intake", lambda: store_builders.submit(store, lines, options=BatchOptions()))
    requests = timed(took, "claim", lambda: store_builders.held(store, batch_no))
    for start in range(0, calls, together):
        part = requests[start : start + together]
        timed(took, "reserve", lambda part=part: store_builders.reserve(store, part))
        timed(took, "settle", lambda part=part: store_builders.settle(store, part, next=ANSWER))
    wall = (time.perf_counter() - began) / calls * 1e6
    store_builders.check_ledger(store, batch_no)
    shown = [f"{seconds / calls * 1e6:.0f}" for seconds in (*took.values(), sum(took.values()))]
    return f"| {together} | {' | '.join(shown)} | {wall:.0f} |"


def timed(took: dict[str, float], name: str, step: Callable[[], object]) -> object:
    """Add a step's processor time to `took`."""
    began = time.process_time()
    result = step()
    took[name] = took.get(name, 0.0) + time.process_time() - began
    return result


if __name__ == "__main__":
    main()
