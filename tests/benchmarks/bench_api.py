"""The API server under load: python tests/benchmarks/bench_api.py [CLIENTS] [LINES_OF_THE_LARGE_FILE]

Clients create batches of 20 rows at once, behind one large file; then retrieve and list. Last, a file of
512 MB is uploaded. It prints rates, latencies, and the memory of the server's two processes.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402

from tests.support import api  # noqa: E402
from tests.support.stack import Stack  # noqa: E402
from workers.simulator import SimulatorProcess, default_config  # noqa: E402

_UPLOAD_MB = 500
_READS = 2_000


class Memory:
    """The most memory that each process of the server had, in MB."""

    def __init__(self, pid: int) -> None:
        self._processes = [psutil.Process(pid), *psutil.Process(pid).children()]
        self.peaks = [0.0] * len(self._processes)
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            with suppress(psutil.NoSuchProcess):  # the server has ended
                now = [process.memory_info().rss / 2**20 for process in self._processes]
                self.peaks = [max(pair) for pair in zip(self.peaks, now, strict=True)]

    def __str__(self) -> str:
        return f"server {self.peaks[0]:.0f} MB, intake {self.peaks[1]:.0f} MB"


def timed(clients: int, count: int, call: Callable[[int], object]) -> tuple[list[float], float]:
    """Make `count` calls by so many threads; returns the seconds of each, and of all."""

    def one(number: int) -> float:
        began = time.perf_counter()
        call(number)
        return time.perf_counter() - began

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        took = list(pool.map(one, range(count)))
    return took, time.perf_counter() - began


def report(name: str, took: list[float], total: float) -> None:
    """Print the rate and the latencies of calls."""
    p50, p99 = statistics.median(took), statistics.quantiles(took, n=100)[98]
    print(
        f"{name:<28} {len(took) / total:7.1f}/s  p50 {p50 * 1000:6.0f} ms  p99 {p99 * 1000:6.0f} ms",
        flush=True,
    )


def _large(lines: int) -> Iterator[str]:
    return (api.chat_line(number, prompt=f"{number} " + "x" * 400) for number in range(lines))


def main(clients: int = 200, lines: int = 100_000) -> None:
    """Run all parts."""
    config = replace(default_config(), latency_scale=0)
    with (
        tempfile.TemporaryDirectory() as folder,
        SimulatorProcess(config) as simulator,
        Stack(Path(folder) / "stack", simulator=simulator) as stack,
    ):
        server = api.start_api(stack)
        memory = Memory(server.process.process.pid)
        keys = [api.client(server, api.new_key(stack, f"key-{number}")) for number in range(clients)]
        large = api.create_batch(keys[0], _large(lines))
        batches: dict[int, str] = {}

        def create(number: int) -> None:
            rows = (api.chat_line(row) for row in range(20))
            batches[number] = api.create_batch(keys[number], rows).id

        report("upload and create, 20 rows", *timed(clients, clients, create))
        began = time.perf_counter()
        while any(keys[n].batches.retrieve(b).status == "validating" for n, b in list(batches.items())[::20]):
            time.sleep(0.1)
        behind = keys[0].batches.retrieve(large.id).status
        print(f"small batches validated after {time.perf_counter() - began:.1f} s; the large one is {behind}")
        report(
            "retrieve", *timed(32, _READS, lambda n: keys[n % clients].batches.retrieve(batches[n % clients]))
        )
        report("list", *timed(32, _READS, lambda n: keys[n % clients].batches.list(limit=20)))
        print(f"before the upload: {memory}")
        content = Path(folder) / "large.jsonl"
        content.write_bytes(b"x" * (_UPLOAD_MB << 20))
        began = time.perf_counter()
        with api.http(server, keys[0].api_key) as client, content.open("rb") as stream:
            sent = client.post("/v1/files", data={"purpose": "batch"}, files={"file": stream}, timeout=600)
        assert sent.is_success, sent.text
        print(f"upload of {_UPLOAD_MB} MB: {_UPLOAD_MB / (time.perf_counter() - began):.0f} MB/s; {memory}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
