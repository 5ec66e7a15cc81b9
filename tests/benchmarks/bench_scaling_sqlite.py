"""Dispatch processes on one batch and on several, on one SQLite file: calls per second, waits for its lock.

    python tests/benchmarks/bench_scaling_sqlite.py

Each process reserves and settles groups of calls as a dispatch worker does, every commit on the disk, next to
the fold that runs in each worker. SQLite has one writer at a time, whatever the batch: what processes cannot
do side by side, they wait for.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tasks.stages.dispatch.repository import DispatchRepository  # noqa: E402
from tasks.stages.dispatch.settlement_writer import SettlementWriter  # noqa: E402
from tasks.store import engine  # noqa: E402
from tasks.store.engine import Store  # noqa: E402
from tests.benchmarks.bench_scaling import (  # noqa: E402
    GROUP,
    POINTS,
    WARM_UP,
    answered,
    claimed,
    spawn,
    submitted,
)
from tests.support import store_builders  # noqa: E402
from tests.support.stores import new_sqlite  # noqa: E402


@dataclass(frozen=True)
class Span:
    """What a process did between two moments of the monotonic clock, in seconds."""

    began: float
    ended: float
    transactions: int
    waited_s: float


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", type=int, default=60, help="by each process")
    groups = parser.parse_args().groups
    print("| processes | batches | calls/s | by the first | transactions a group | lock wait, ms a call |")
    print("|---|---|---|---|---|---|")
    first = None
    for processes, batches in POINTS:
        spans = measure(groups, processes, batches)
        calls = groups * GROUP * processes
        rate = calls / (max(one.ended for one in spans) - min(one.began for one in spans))
        first = first or rate
        transactions = sum(one.transactions for one in spans) / (groups * processes)
        waited_ms = sum(one.waited_s for one in spans) / calls * 1000
        points = f"| {processes} | {batches} | {rate:,.0f} | {rate / first:.2f} "
        print(f"{points}| {transactions:.1f} | {waited_ms:.2f} |", flush=True)


def measure(groups: int, processes: int, batches: int) -> list[Span]:
    """Let the processes work on the batches at the same time."""
    with tempfile.TemporaryDirectory(prefix="waybill-bench-") as folder:
        url = new_sqlite(Path(folder) / "waybill.db")
        store = Store(url)
        of_batch = (groups + WARM_UP) * GROUP * processes // batches
        numbers = [submitted(store, of_batch, budget=False) for _ in range(batches)]
        ready, results = spawn.Barrier(processes), spawn.Queue()
        workers = [
            spawn.Process(target=work, args=(url, numbers[n % batches], n, groups, ready, results))
            for n in range(processes)
        ]
        for worker in workers:
            worker.start()
        spans = [results.get() for _ in workers]
        for worker in workers:
            worker.join()
        for number in numbers:
            store_builders.check_ledger(store, number)
        store.close()
    return spans


def work(url: str, batch_no: int, number: int, groups: int, ready: Any, results: Any) -> None:
    """One dispatch process: it holds its groups when the clock starts."""
    owner = f"worker-{number}"
    held = claimed(url, batch_no, owner, number, groups + WARM_UP)
    pairs = [(list(map(store_builders.reservation, one)), list(map(answered, one))) for one in held]
    store, waits = Store(url, is_worker=True), timed_begins()
    repository, writer = DispatchRepository(store, owner), SettlementWriter(store, owner, lambda _: None)
    for done, (reservations, settlements) in enumerate(pairs):
        if done == WARM_UP:
            ready.wait()
            waits.clear()
            began = time.monotonic()
        repository.reserve(batch_no, reservations)
        writer._write_once(batch_no, settlements)
    results.put(Span(began, time.monotonic(), len(waits), sum(waits)))
    store.close()


def timed_begins() -> list[float]:
    """Return a list to which each transaction of this process adds the seconds that its BEGIN took."""
    waits: list[float] = []
    begin = engine._begin_immediate

    def timed(driver: Any, deadline: float) -> bool:
        began = time.monotonic()
        try:
            return begin(driver, deadline)
        finally:
            waits.append(time.monotonic() - began)

    engine._begin_immediate = timed
    return waits


if __name__ == "__main__":
    main()
