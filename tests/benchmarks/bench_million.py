"""One batch of very many calls at no latency on PostgreSQL: rate, memory, descriptors and bloat over time.

    python tests/benchmarks/bench_million.py 1000000      # half an hour of two idle cores
    python tests/benchmarks/bench_million.py 50000
    python tests/benchmarks/bench_million.py 100000 --stored 9900000     # ten million in the store

Then the batch is archived to Parquet and restored; the memory of both is measured as well. With `--stored`,
the store holds so many finished requests more: batches of 100,000, one of them run here and copied by SQL.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import text

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tasks.archiving.archive import archive_batch, restore_batch  # noqa: E402
from tasks.settings import DispatchSettings  # noqa: E402
from tasks.store import batches  # noqa: E402
from tests.support.copied_batches import copy_batch  # noqa: E402
from tests.support.repeating import repeating  # noqa: E402
from tests.support.stack import Stack  # noqa: E402
from tests.support.stores import PostgresServer  # noqa: E402
from workers.metrics.collector import Exposition  # noqa: E402
from workers.simulator import SimulatorProcess, default_config  # noqa: E402
from workers.worker.run import Role  # noqa: E402

MODEL = "sim-nano"
#: the requests of a batch that is copied
COPIED = 100_000
TABLES = ("request", "attempt", "outcome", "chunk", "outbox", "batch")
_SIZES = text(
    "SELECT relname, pg_total_relation_size(relid), n_live_tup, n_dead_tup, autovacuum_count"
    " FROM pg_stat_user_tables WHERE relname = ANY(:names)"
)


@dataclass
class Sample:
    """A moment: calls made so far, and what the processes and the tables took."""

    at_s: float
    done: int
    mib: dict[str, float] = field(default_factory=dict)
    descriptors: dict[str, int] = field(default_factory=dict)
    tables: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("calls", type=int)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--stored", type=int, default=0, help="finished requests that the store holds before")
    options = parser.parse_args()
    config = default_config()
    quick = [
        replace(model, latency_ms=0.0, output_tokens=dict.fromkeys(model.output_tokens, 20))
        for model in config.models
    ]
    with (
        tempfile.TemporaryDirectory(prefix="waybill-million-") as folder,
        PostgresServer() as server,
        SimulatorProcess(replace(config, models=tuple(quick))) as simulator,
        Stack(Path(folder) / "home", simulator=simulator, store_url=server.database(),
              models={model.name: {"transport": "auto", "max_concurrency": 256} for model in quick}) as stack,
    ):  # fmt: skip
        workers = {
            Role.UPKEEP: stack.start(Role.UPKEEP),
            Role.DISPATCH: stack.start(Role.DISPATCH, "--concurrency", str(options.processes)),
        }
        stack.await_ready(workers[Role.DISPATCH])
        pids = {str(role): worker.process.pid for role, worker in workers.items()}
        if options.stored:
            fill(stack, options.stored)
        report(measure(stack, pids, options.calls, options.samples))
        look(stack)
        archived(stack, Path(folder))


def fill(stack: Stack, wanted: int) -> None:
    """Run a batch, and copy it until so many requests have ended."""
    began = time.perf_counter()
    size = min(wanted, COPIED)
    batch_id = stack.submit(requests(size), group_size=DispatchSettings().group_size)
    awaited(stack, batch_id, size)
    print(f"- {size:,} calls in an empty store in {time.perf_counter() - began:.0f} s", flush=True)
    look(stack)
    began = time.perf_counter()
    copy_batch(stack.store, batch_id, wanted // size - 1)
    with stack.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    print(f"- copied to {wanted // size * size:,} in {time.perf_counter() - began:.0f} s", flush=True)
    look(stack)


def look(stack: Stack) -> None:
    """Print how long people wait who look on."""
    for name, arguments in (("status", ["status"]), ("status of the newest", ["status", newest(stack)])):
        began = time.perf_counter()
        assert stack.run(*arguments).process.wait() == 0
        print(f"- `waybill {name}`: {time.perf_counter() - began:.1f} s", flush=True)
    exposition = Exposition(stack.settings, stack.store, min_age_s=0)
    began = time.perf_counter()
    exposition.text()
    print(f"- a scrape of the metrics: {1e3 * (time.perf_counter() - began):.0f} ms", flush=True)


def measure(stack: Stack, pids: dict[str, int], calls: int, wanted: int) -> list[Sample]:
    """Submit the calls, and look each time that a share of them is done."""
    began = time.perf_counter()
    batch_id = stack.submit(requests(calls), group_size=DispatchSettings().group_size)
    print(f"- {calls:,} lines stored in {time.perf_counter() - began:.0f} s", flush=True)
    samples: list[Sample] = []
    for share in range(wanted + 1):
        row = awaited(stack, batch_id, calls * share // wanted)
        samples.append(sample(stack, pids, time.perf_counter() - began, row["succeeded"] + row["failed"]))
    return samples


def awaited(stack: Stack, batch_id: str, due: int) -> dict[str, Any]:
    """Return the row of the batch once so many calls have ended; of the last one, once the batch has."""
    while True:
        with stack.store.read() as connection:
            row = dict(batches.find(connection, batch_id))
        done = row["succeeded"] + row["failed"]
        if done >= due and (done < row["total"] or row["status"] not in batches.OPEN):
            return row
        time.sleep(0.5)


def sample(stack: Stack, pids: dict[str, int], at_s: float, done: int) -> Sample:
    found = Sample(at_s, done)
    for role, pid in pids.items():
        tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        found.mib[role] = sum(process.memory_info().rss for process in tree) / 2**20
        found.descriptors[role] = sum(process.num_fds() for process in tree)
    with stack.store.read() as connection:
        for name, size, live, dead, vacuums in connection.execute(_SIZES, {"names": list(TABLES)}):
            found.tables[name] = (size, live, dead, vacuums)
    return found


def report(samples: list[Sample]) -> None:
    """Print a row for each sample."""
    roles = list(samples[0].mib)
    print("\n| calls | calls/s since the row before | " + " | ".join(f"{r}: MiB, fds" for r in roles), end="")
    print(" | dead rows of attempt | of request | of batch | MiB of all tables |")
    print("|" + "---|" * (len(roles) + 6))
    before = samples[0]
    for one in samples:
        rate = (one.done - before.done) / max(one.at_s - before.at_s, 1e-9)
        used = " | ".join(f"{one.mib[role]:.0f}, {one.descriptors[role]}" for role in roles)
        dead = " | ".join(
            f"{one.tables[name][2]:,} of {sum(one.tables[name][1:3]):,}" if name in one.tables else ""
            for name in ("attempt", "request", "batch")
        )
        size = sum(table[0] for table in one.tables.values()) / 2**20
        print(f"| {one.done:,} | {rate:.0f} | {used} | {dead} | {size:.0f} |")
        before = one
    vacuums = {name: table[3] for name, table in samples[-1].tables.items()}
    print(f"\n- autovacuum ran: {', '.join(f'{name} {count}' for name, count in sorted(vacuums.items()))}")


def archived(stack: Stack, folder: Path) -> None:
    """Archive the newest batch and restore it, with the growth of this process's memory meanwhile."""
    with growth("archived"):
        archive = archive_batch(stack.store, newest(stack), folder / "archive")
    size = sum(file.stat().st_size for file in archive.iterdir())
    print(f"- the archive has {size / 2**20:.1f} MiB")
    with growth("restored"):
        restore_batch(stack.store, archive)


def newest(stack: Stack) -> str:
    """Return the id of the newest batch."""
    with stack.store.read() as connection:
        return str(connection.execute(text("SELECT id FROM batch ORDER BY no DESC LIMIT 1")).scalar_one())


@contextmanager
def growth(what: str) -> Iterator[None]:
    """Print how long it took, and by how much the memory of this process grew at most."""
    process, began = psutil.Process(), time.perf_counter()
    used = [process.memory_info().rss]
    with repeating(lambda: used.append(process.memory_info().rss), 0.05):
        yield
    grown = (max(used) - used[0]) / 2**20
    print(f"- {what} in {time.perf_counter() - began:.1f} s; memory +{grown:.0f} MiB at most", flush=True)


def requests(calls: int) -> Iterator[dict[str, object]]:
    """Prompts of about 100 characters, none like another, that name their model."""
    for number in range(calls):
        yield {"id": f"m-{number}", "model": MODEL, "prompt": f"Question {number}: why is this short? " * 3}


if __name__ == "__main__":
    main()
