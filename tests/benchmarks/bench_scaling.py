"""Dispatch processes on one batch and on several: calls per second, round trips and waits for locks.

    python tests/benchmarks/bench_scaling.py [--delay-ms 20] [--budget]

Each process reserves and settles groups of calls on a PostgreSQL of its own, as a dispatch worker does,
through a proxy that delays every round trip, so that not the processors of this machine are the bound but
the number of round trips, and what is locked meanwhile. All points come from one run.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from sqlalchemy import select

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tasks.settings import DispatchSettings  # noqa: E402
from tasks.stages.dispatch.delta_folder import FOLD_S  # noqa: E402
from tasks.stages.dispatch.repository import DispatchRepository  # noqa: E402
from tasks.stages.dispatch.settlement_writer import SettlementWriter  # noqa: E402
from tasks.store import chunk_requests, claims  # noqa: E402
from tasks.store.batch_options import BatchOptions  # noqa: E402
from tasks.store.engine import Store  # noqa: E402
from tasks.store.tables import chunk  # noqa: E402
from tasks.store.unlocked import folding  # noqa: E402
from tasks.store.values import HeldRequest, RequestResult, Settlement  # noqa: E402
from tests.benchmarks.far_store import far_store  # noqa: E402
from tests.support import store_builders  # noqa: E402
from tests.support.repeating import repeating  # noqa: E402
from tests.support.stores import PostgresServer  # noqa: E402

GROUP = DispatchSettings().group_size
POINTS = ((1, 1), (2, 1), (4, 1), (4, 4))
ANSWER = RequestResult("succeeded", model="small", body="x" * 800, status_code=200, latency_ms=7)
#: groups of each process before the clock starts: connections, purses and prepared statements
WARM_UP = 8
LOCK_WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
SAMPLE_S = 0.005
spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True, kw_only=True)
class Run:
    """What the points have in common."""

    groups: int
    delay_ms: float
    budget: bool


@dataclass(frozen=True, kw_only=True)
class Point:
    """What one point took."""

    processes: int
    batches: int
    rate: float
    round_trips: float
    lock_ms: float
    cpu_us: float
    log_bytes: float

    def line(self, first: Point) -> str:
        """Its row of the table."""
        return (
            f"| {self.processes} | {self.batches} | {self.rate:,.0f} | {self.rate / first.rate:.2f} "
            f"| {self.round_trips:.1f} | {self.lock_ms:.2f} | {self.cpu_us:.0f} µs | {self.log_bytes:,.0f} |"
        )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", type=int, default=60, help="by each process")
    parser.add_argument("--delay-ms", type=float, default=20.0, help="of each round trip")
    parser.add_argument("--budget", action="store_true", help="with a cap, far above what the calls cost")
    run = Run(**vars(parser.parse_args()))
    print(
        "| processes | batches | calls/s | by the first | round trips a group | lock wait, ms a call "
        "| PostgreSQL's CPU a call | bytes of its log a call |"
    )
    print("|---|---|---|---|---|---|---|---|")
    first = None
    with PostgresServer(survives=True) as server:
        for processes, batches in POINTS:
            point = measure(server, run, processes, batches)
            first = first or point
            print(point.line(first), flush=True)


def measure(server: PostgresServer, run: Run, processes: int, batches: int) -> Point:
    """Let the processes work on the batches at the same time."""
    url = server.database()
    store = Store(url)
    of_batch = (run.groups + WARM_UP) * GROUP * processes // batches
    numbers = [submitted(store, of_batch, budget=run.budget) for _ in range(batches)]
    ready, results = spawn.Barrier(processes + 1), spawn.Queue()
    workers = [
        spawn.Process(target=work, args=(url, numbers[n % batches], n, run, ready, results))
        for n in range(processes)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    before = server_use(server)
    with lock_waits(server.admin_url) as waits:
        spans = [results.get() for _ in workers]
    cpu_s, log_bytes = (after - began for after, began in zip(server_use(server), before, strict=True))
    ready.wait()  # their connections are counted
    for worker in workers:
        worker.join()
    for number in numbers:
        folding.fold_batch(store, number)
        store_builders.check_ledger(store, number)
    store.close()
    calls = run.groups * GROUP * processes
    seconds = max(end for _, end, _ in spans) - min(begin for begin, _, _ in spans)
    return Point(
        processes=processes,
        batches=batches,
        rate=calls / seconds,
        round_trips=sum(trips for _, _, trips in spans) / (run.groups * processes),
        lock_ms=sum(waits) / len(waits) * seconds / calls * 1000,
        cpu_us=cpu_s / calls * 1e6,
        log_bytes=log_bytes / calls,
    )


def submitted(store: Store, calls: int, *, budget: bool) -> int:
    """Store a batch of so many calls; returns its number."""
    lines = [store_builders.line(n, body=f'{{"messages":["{n}{"x" * 300}"]}}') for n in range(1, calls + 1)]
    return store_builders.submit(
        store, lines, options=BatchOptions(group_size=GROUP), budget=10**9 if budget else None
    )


def work(url: str, batch_no: int, number: int, run: Run, ready: Any, results: Any) -> None:
    """One dispatch process: it holds its groups when the clock starts."""
    owner = f"worker-{number}"
    groups = claimed(url, batch_no, owner, number, run.groups + WARM_UP)
    pairs = [
        (list(map(store_builders.reservation, group)), [answered(one) for one in group]) for group in groups
    ]
    with far_store(url, run.delay_ms) as (store, trips), folding_beside(url, run.delay_ms, batch_no):
        repository, writer = DispatchRepository(store, owner), SettlementWriter(store, owner, lambda _: None)
        for done, (reservations, settlements) in enumerate(pairs):
            if done == WARM_UP:
                ready.wait()
                before, began = trips.value, time.monotonic()
            repository.reserve(batch_no, reservations)
            writer._write_once(batch_no, settlements)
        results.put((began, time.monotonic(), trips.value - before))
        ready.wait()


@contextmanager
def folding_beside(url: str, delay_ms: float, batch_no: int) -> Iterator[None]:
    """Fold the batch as often as a dispatch process does, over another connection."""
    with (
        far_store(url, delay_ms) as (store, _),
        repeating(lambda: folding.fold_batch(store, batch_no), FOLD_S),
    ):
        yield


def answered(one: HeldRequest) -> Settlement:
    """Return the settlement of a call that was answered."""
    return store_builders.settlement(one, ANSWER)


def claimed(url: str, batch_no: int, owner: str, number: int, groups: int) -> list[list[HeldRequest]]:
    """Claim this process's part of the groups of a batch."""
    store = Store(url)
    waiting = select(chunk).where(chunk.c.batch_no == batch_no).order_by(chunk.c.id)
    with store.read() as connection:
        rows = connection.execute(waiting).mappings().all()
    first = number % (len(rows) // groups) * groups
    for row in rows[first : first + groups]:
        with store.write() as connection:
            claims.claim(connection, row["id"], 0, stage="dispatch", owner=owner, lease_s=600)
    with store.read() as connection:
        held = [chunk_requests.requests_of(connection, row["id"]) for row in rows[first : first + groups]]
    store.close()
    return held


def server_use(server: PostgresServer) -> tuple[float, int]:
    """Processor seconds of the server's processes so far, and bytes of its write-ahead log."""
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        query = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn, pid FROM pg_stat_activity"
        rows = connection.execute(query).fetchall()
    seconds = 0.0
    for _, pid in rows:
        with suppress(psutil.NoSuchProcess):  # a connection that has ended meanwhile
            times = psutil.Process(pid).cpu_times()
            seconds += times.user + times.system
    return seconds, int(rows[0][0])


@contextmanager
def lock_waits(url: str) -> Iterator[list[int]]:
    """Count the sessions that wait for a lock, again and again, while the block runs."""
    samples = [0]
    with psycopg.connect(url, autocommit=True) as connection:

        def sample() -> None:
            samples.append(connection.execute(LOCK_WAITS).fetchall()[0][0])

        with repeating(sample, SAMPLE_S):
            yield samples


if __name__ == "__main__":
    main()
