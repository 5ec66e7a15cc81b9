"""The API server under load: python tests/benchmarks/bench_api.py [--clients N] [--lines N] [--postgres]

Clients create batches of 20 rows at once, behind one large file that is being stored and answered; then they
retrieve and list. When the large batch is stored, and being answered, more small batches are created one at a
time. It prints rates, latencies, how long the small batches took behind the large one, and the
most memory of the server's two processes, that of the upload of the large file included.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402
from openai import OpenAI  # noqa: E402

from tests.support import api  # noqa: E402
from tests.support.stack import Stack  # noqa: E402
from tests.support.stores import PostgresServer  # noqa: E402
from workers.simulator import SimulatorProcess, default_config  # noqa: E402

_READS = 2_000
_ROWS = 20
#: small batches, one after the other, behind the large one that is being answered
_ALONE = 5


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


def _upload_large(server: api.ApiServer, key: str, folder: Path, lines: int) -> str:
    """Upload the large file from the disk, and return its id."""
    path = folder / "large.jsonl"
    with path.open("w") as stream:
        for number in range(lines):
            stream.write(api.chat_line(number, prompt=f"{number} " + "x" * 240) + "\n")
    size, began = path.stat().st_size / 2**20, time.perf_counter()
    with api.http(server, key) as client, path.open("rb") as body:
        sent = client.post("/v1/files", data={"purpose": "batch"}, files={"file": body}, timeout=600)
    assert sent.is_success, sent.text
    took = time.perf_counter() - began
    print(f"upload of {lines:,} lines, {size:.0f} MB: {size / took:.0f} MB/s", flush=True)
    return str(sent.json()["id"])


def _await_small(clients: Mapping[int, OpenAI], small: dict[int, str], began: float, stored: float) -> None:
    """Wait for the first answer and the end of each small batch, and print when the last one had them."""
    waiting, first, last = dict(small), {}, {}
    while waiting:
        for number, batch_id in list(waiting.items()):
            batch = clients[number].batches.retrieve(batch_id)
            if batch.output_file_id:
                first.setdefault(number, time.perf_counter() - began)
            if batch.status in api.ENDED:
                last[number] = time.perf_counter() - began
                del waiting[number]
    for name, took in (("first answer", first), ("end", last)):
        values = sorted(took.values())
        print(
            f"small batches, {name} after their creations began: p50 {statistics.median(values):.1f} s, "
            f"last {values[-1]:.1f} s (creations took {stored:.1f} s)",
            flush=True,
        )


def _shown(client: OpenAI, batch_id: str) -> str:
    batch = client.batches.retrieve(batch_id)
    counts = batch.request_counts
    assert counts is not None
    return f"{batch.status}, {counts.completed:,} of {counts.total:,} stored lines answered"


def _run(stack: Stack, folder: Path, count: int, lines: int) -> None:
    stack.start("upkeep")
    stack.await_ready(stack.start("dispatch", "--models", "sim-nano"))
    server = api.start_api(stack)
    memory = Memory(server.process.process.pid)
    clients = [
        api.client(server, api.new_key(stack, f"key-{number}"), max_retries=3) for number in range(count)
    ]
    file_id = _upload_large(server, clients[0].api_key, folder, lines)
    print(f"after the upload: {memory}", flush=True)
    wanted = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
    large = clients[0].batches.create(input_file_id=file_id, **wanted)  # type: ignore[arg-type]
    large_began = time.perf_counter()
    small: dict[int, str] = {}

    def create(number: int) -> None:
        rows = (api.chat_line(row, prompt=f"{number}-{row}", model="sim-nano") for row in range(_ROWS))
        small[number] = api.create_batch(clients[number], rows).id

    began = time.perf_counter()
    took, total = timed(count, count, create)
    report(f"upload and create, {_ROWS} rows", took, total)
    _await_small(dict(enumerate(clients)), small, began, total)
    print(f"the large batch then: {_shown(clients[0], large.id)}", flush=True)
    report(
        "retrieve",
        *timed(32, _READS, lambda number: clients[number % count].batches.retrieve(small[number % count])),
    )
    report("list", *timed(32, _READS, lambda number: clients[number % count].batches.list(limit=20)))
    while clients[0].batches.retrieve(large.id).status == "validating":
        time.sleep(0.2)
    while clients[0].batches.retrieve(large.id).request_counts.total < lines:  # type: ignore[union-attr]
        time.sleep(0.2)
    took_s = time.perf_counter() - large_began
    print(f"the large batch was stored after {took_s:.0f} s: {_shown(clients[0], large.id)}", flush=True)
    for number in range(_ALONE):
        rows = [api.chat_line(row, prompt=f"alone-{number}-{row}", model="sim-nano") for row in range(_ROWS)]
        began = time.perf_counter()
        one = api.create_batch(clients[1], rows).id
        _await_small({number: clients[1]}, {number: one}, began, time.perf_counter() - began)
    print(f"the large batch then: {_shown(clients[0], large.id)}", flush=True)
    print(memory)


def main() -> None:
    """Run all parts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--postgres", action="store_true")
    arguments = parser.parse_args()
    config = replace(default_config(), latency_scale=0)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        simulator = opened.enter_context(SimulatorProcess(config))
        url = opened.enter_context(PostgresServer()).database() if arguments.postgres else None
        stack = opened.enter_context(Stack(folder / "stack", simulator=simulator, store_url=url))
        _run(stack, folder, arguments.clients, arguments.lines)


if __name__ == "__main__":
    main()
