"""Microseconds per prompt of the route stage's arithmetic: vectors and texts in, decisions out, on one core.

    python tests/benchmarks/bench_route_stage.py [FILE] [--router DIR]

Without a router one is trained on FILE (default: ../../shared/data/llmrouter_train.jsonl.gz: 9 models, 5,608
memory rows), by `waybill train` in a process of its own. Chunks of 512, the best of three rounds, CPU time:
it does not count what others do on the machine. Prints a table of where the time goes, and a JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from router_core.data.labelled_prompts import cost_matrix, read_labelled  # noqa: E402
from router_core.embedding.embedder import Embedder  # noqa: E402
from router_core.features.prompt_features import PromptFeatures  # noqa: E402
from router_core.features.surface import surface_features  # noqa: E402
from router_core.router import Router  # noqa: E402

FILE = ROOT.parent / "shared" / "data" / "llmrouter_train.jsonl.gz"
PROMPTS, CHUNK, ROUNDS = 2048, 512, 3
BAR_US = 150


def main() -> None:
    options = parsed()
    if not options.file.exists():
        print(f"skipped: {options.file} is not here; name a file of labelled prompts")
        return
    with tempfile.TemporaryDirectory() as folder:
        router = Router.load(options.router or trained(options.file, Path(folder)))
    rows = [row for row, _ in zip(read_labelled(options.file), range(PROMPTS), strict=False)]
    texts, costs = [row.prompt for row in rows], cost_matrix(rows, router.models)
    vectors = Embedder.for_spec(router.embedder).encode(texts)
    steps: dict[str, Callable[[slice], object]] = {
        "route, all of it": lambda s: router.route(vectors[s], texts[s], costs=costs[s]),
        "surface features": lambda s: surface_features(texts[s]),
        "what is read of them": lambda s: PromptFeatures.of(vectors[s], texts[s]),
        "all before the choice": lambda s: router.predict(vectors[s], texts[s]),
    }
    found = {name: microseconds(step, len(texts)) for name, step in steps.items()}
    memory = len(router.predictors.ensemble.knn.inputs)
    print(f"{len(router.models)} models, {memory:,} memory rows, {len(texts)} prompts, one core\n")
    print("| step | µs a prompt |\n|---|---|")
    print("\n".join(f"| {name} | {value:.1f} |" for name, value in found.items()))
    whole = found["route, all of it"]
    print(f"\nbar: under {BAR_US} µs a prompt: {'holds' if whole < BAR_US else 'does not hold'}")
    print(json.dumps({"microseconds": found, "models": len(router.models), "memory_rows": memory}))


def parsed() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("file", nargs="?", type=Path, default=FILE)
    options.add_argument("--router", type=Path)
    return options.parse_args()


def trained(file: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "workers.cli", "train", str(file), "-o", str(folder / "router")]
    subprocess.run(
        command, check=True, env={**os.environ, "WAYBILL_HOME": str(folder), "PYTHONPATH": str(ROOT)}
    )
    return folder / "router"


def microseconds(step: Callable[[slice], object], prompts: int) -> float:
    """CPU time per prompt of the best round; the chunk before the first loads what is loaded lazily."""
    step(slice(0, CHUNK))
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for start in range(0, prompts, CHUNK):
            step(slice(start, start + CHUNK))
        best = min(best, time.process_time() - began)
    return 1e6 * best / prompts


if __name__ == "__main__":
    main()
