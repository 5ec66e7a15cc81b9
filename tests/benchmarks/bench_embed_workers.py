"""What a second embed worker adds: one and two workers of one thread each, in turns, on the same prompts.

    python tests/benchmarks/bench_embed_workers.py [N] [--embedder minilm] [--rounds 2]

Only the embed role and upkeep run, so that nothing downstream waits. The clock runs from the first chunk that
is embedded to the last; each round embeds other prompts, so that none comes from the cache. The ratio of the
best rounds is printed: on two cores that do nothing else it should come to 1.7 and more.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench_end_to_end import EMBEDDERS, SETTINGS, trained_router  # noqa: E402

from tests.support.stack import Stack  # noqa: E402
from workers.demo.data.prompts import write_prompts  # noqa: E402
from workers.simulator import SimulatorProcess  # noqa: E402
from workers.worker.run import Role, environment_of  # noqa: E402

CHUNK = 64


def main() -> None:
    options = parsed()
    best = {1: 0.0, 2: 0.0}
    with tempfile.TemporaryDirectory(prefix="waybill-bench-") as folder:
        home = Path(folder)
        router = trained_router(home / "training", EMBEDDERS[options.embedder])
        texts = (prompt.text for prompt in write_prompts(78))
        for number in range(options.rounds):
            for workers in best:
                batch = list(islice(texts, options.prompts))
                rate = embedded_per_second(home / f"{number}-{workers}", router, batch, workers)
                best[workers] = max(best[workers], rate)
                print(
                    f"{workers} worker(s): {rate:,.1f} prompts/s, load {os.getloadavg()[0]:.1f}", flush=True
                )
    print(f"\n| embed workers ({options.embedder}) | prompts/s | times one |\n|---|---|---|")
    for workers, rate in best.items():
        print(f"| {workers} | {rate:,.1f} | {rate / best[1]:.2f} |")
    print(json.dumps({"embedder": options.embedder, "rates": best, "ratio": best[2] / best[1]}))


def parsed() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("prompts", nargs="?", type=int, default=1500)
    options.add_argument("--embedder", choices=list(EMBEDDERS), default="minilm")
    options.add_argument("--rounds", type=int, default=2)
    return options.parse_args()


def embedded_per_second(home: Path, router: Path, texts: list[str], workers: int) -> float:
    settings = {**SETTINGS, "router": {"path": str(router)}}
    with SimulatorProcess() as simulator, Stack(home, simulator=simulator, settings=settings) as stack:
        environment = environment_of(Role.EMBED, 2, cores=2)  # one thread each
        stack.await_ready(*(stack.start(Role.EMBED, environment=environment) for _ in range(workers)))
        stack.start(Role.UPKEEP)
        warm = stack.submit([f"warm {number}" for number in range(8)], route_only=True, chunk_size=2)
        stack.wait(warm, until=lambda row: row["embedded"] == 8)
        batch_id = stack.submit(texts, route_only=True, chunk_size=CHUNK)
        first = stack.wait(batch_id, until=lambda row: row["embedded"] > 0)["embedded"]
        began = time.monotonic()
        stack.wait(batch_id, until=lambda row: row["embedded"] == len(texts), timeout_s=900)
        return (len(texts) - first) / (time.monotonic() - began)


if __name__ == "__main__":
    main()
