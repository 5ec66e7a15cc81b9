"""A soak test: 20,000 simulated calls, one in twenty failing; memory and descriptors must not grow.

`make soak` prints the growth per 1,000 calls, by least squares over the samples after the first quarter, with
its standard error, and of memory over the last half, too; it writes them to docs/faults.md. Exit status 1
where a worker grows.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import psutil
from sqlalchemy import func, select

from tasks.store.tables import attempt
from tests.faults.results import write_section
from tests.support.invariants import BatchTotals, check_batch, check_bill
from tests.support.stack import Stack, WorkerProcess
from workers.simulator import SimulatorProcess, default_config, with_transient_failures

CALLS = int(os.environ.get("SOAK_CALLS", "20000"))
FAILURES = 0.05
_SAMPLE_S = 1.0
#: while a process still warms up, it grows
_WARM = 0.25
#: what counts as flat, per 1,000 calls: 20,000 calls may then add 10 MB, and one pooled connection to SQLite
_MOST_MB, _MOST_FDS = 0.5, 0.2


@dataclass
class Series:
    """Samples of one worker with its pool: calls made by all until then, resident MB, open descriptors."""

    calls: list[int] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def sample(self, worker: WorkerProcess, calls: int) -> None:
        memory, descriptors = 0, 0
        root = psutil.Process(worker.process.pid)
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                memory += process.memory_info().rss
                descriptors += process.num_fds()
        self.calls.append(calls)
        self.megabytes.append(memory / 2**20)
        self.descriptors.append(descriptors)


@dataclass(frozen=True)
class Growth:
    """A slope per 1,000 calls, its standard error, and the level it starts from."""

    slope: float
    error: float
    level: float

    @classmethod
    def of(cls, calls: list[int], values: list[float] | list[int], after: float = _WARM) -> Growth:
        """Least squares over the samples after this share of them."""
        warm = int(len(calls) * after)
        x, y = np.array(calls[warm:], dtype=float) / 1000, np.array(values[warm:], dtype=float)
        spread = ((x - x.mean()) ** 2).sum()
        slope = ((x - x.mean()) * (y - y.mean())).sum() / spread
        residuals = y - y.mean() - slope * (x - x.mean())
        error = np.sqrt((residuals**2).sum() / (len(x) - 2) / spread)
        return cls(float(slope), float(error), float(np.median(y)))

    def __str__(self) -> str:
        return f"{self.slope:+.3f} ± {self.error:.3f} (median {self.level:.0f})"


def run(home: Path) -> tuple[dict[str, Series], float, dict[str, int]]:
    """Run the batch; returns the samples by worker, the seconds it took, and the calls by state."""
    config = replace(with_transient_failures(default_config(), FAILURES), latency_scale=0.2)
    settings = {
        "dispatch": {"in_flight": 64, "attempts_per_model": 6, "backoff_s": 0.1},
        # A lease that only a dead worker loses, however busy the machine is.
        "upkeep": {"lease_s": 60.0},
    }
    with SimulatorProcess(config) as simulator, Stack(home, simulator=simulator, settings=settings) as stack:
        upkeep = stack.start("upkeep")
        workers = {"upkeep": upkeep}
        workers |= {f"dispatch {n}": stack.start("dispatch") for n in (1, 2)}
        stack.await_ready(*(worker for name, worker in workers.items() if name != "upkeep"))
        series = {name: Series() for name in workers}
        items = ({"prompt": f"say the number {n}", "model": "sim-nano"} for n in range(CALLS))
        started = time.monotonic()
        batch_id = stack.submit(items, chunk_size=256, group_size=32)
        while stack.row(batch_id)["status"] not in ("completed", "cancelled"):
            time.sleep(_SAMPLE_S)
            calls = stack.row(batch_id)["calls"]
            for name, worker in workers.items():
                series[name].sample(worker, calls)
        took = time.monotonic() - started
        totals = check_batch(stack.store, batch_id)
        check_bill(totals, simulator.client, to_call=CALLS, in_flight_at_kills=_repeatable(stack, totals))
        assert totals.outcomes == {"succeeded": CALLS}
        return series, took, totals.attempts


def _repeatable(stack: Stack, totals: BatchTotals) -> int:
    """Count the calls that may have been billed without an answer: each timed out, or its lease was lost."""
    query = select(func.count()).where(attempt.c.batch_no == totals.row["no"], attempt.c.cost > 0)
    with stack.store.read() as connection:
        return connection.execute(query.where(attempt.c.state != "succeeded")).scalar_one()


def main() -> int:
    """Run, print the table and write it into the page."""
    with tempfile.TemporaryDirectory(prefix="waybill-soak-") as home:
        series, took, attempts = run(Path(home))
    lines = [
        "| worker | resident MB per 1,000 calls | in the last half | descriptors per 1,000 calls |",
        "| --- | --- | --- | --- |",
    ]
    flat = True
    for name, samples in series.items():
        memory = Growth.of(samples.calls, samples.megabytes)
        late = Growth.of(samples.calls, samples.megabytes, after=0.5)
        descriptors = Growth.of(samples.calls, samples.descriptors)
        flat &= memory.slope - 2 * memory.error <= _MOST_MB
        flat &= descriptors.slope - 2 * descriptors.error <= _MOST_FDS
        lines.append(f"| {name} | {memory} | {late} | {descriptors} |")
    ends = ", ".join(f"{number} {state}" for state, number in sorted(attempts.items()))
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    made = f"`SOAK_CALLS={CALLS} make soak`, {time.strftime('%Y-%m-%d %H:%M')}, {machine}"
    head = f"{made}: {ends} calls in {took:.0f} s, SQLite."
    text = "\n".join([head, "", *lines])
    print(text)
    write_section("soak", text)
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
