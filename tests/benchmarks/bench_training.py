"""What a training takes: `python tests/benchmarks/bench_training.py [--prompts 20000] [--models 10]`.

Invented prompts of 14 tasks, each model with a chance of its own on each task, one score in ten missing.
Prints seconds, processor seconds and peak memory, with each stage; vectors are given, not counted.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from numpy.typing import NDArray

from router_core.data.categories import read_sample
from router_core.data.labelled_prompts import LabelledPrompt
from router_core.training.train import train

TASKS = 14
CATEGORIES = ("mathematics", "coding", "reasoning", "summarization", "creative_writing")
DIMENSION = 384


def main() -> None:
    """Train once and print what it took."""
    options = parsed()
    random = np.random.default_rng(options.seed)
    centres = random.normal(size=(TASKS, DIMENSION))
    kinds = random.integers(TASKS, size=options.prompts)
    rows = labelled(kinds, options.models, random)
    sampled = np.resize(kinds, len(read_sample()))
    vectors, sample = (vectors_of(centres, each, random) for each in (kinds, sampled))
    started, worked = time.perf_counter(), time.process_time()

    def tell(stage: str) -> None:
        print(f"{time.perf_counter() - started:6.0f} s  {stage}", flush=True)

    router = train(
        rows,
        vectors,
        embedder_id="invented",
        embedder_fingerprint="invented",
        sample_vectors=sample,
        threads=options.threads,
        progress=tell,
    )
    took, worked = time.perf_counter() - started, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{options.prompts:,} prompts, {options.models} models, {options.threads} threads: {took:.0f} s,")
    margins = dict(router.hyperparameters.margins)
    print(f"{worked:.0f} s of processor time, {peak:.2f} GiB at most; margins {margins}")


def parsed() -> argparse.Namespace:
    """Return the options."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--prompts", type=int, default=20_000)
    options.add_argument("--models", type=int, default=10)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--seed", type=int, default=0)
    return options.parse_args()


def labelled(kinds: NDArray[np.int64], models: int, random: np.random.Generator) -> list[LabelledPrompt]:
    """Return a labelled prompt of each kind [n]."""
    chances, prices = random.uniform(0.2, 0.9, (TASKS, models)), np.geomspace(1e-5, 1e-3, models)
    right = random.random((len(kinds), models)) < chances[kinds]
    known = random.random((len(kinds), models)) < 0.9
    lengths = random.integers(5, 200, size=len(kinds))
    return [
        LabelledPrompt(
            id=f"p{row}",
            prompt=f"prompt {row} " + "word " * int(lengths[row]),
            category=CATEGORIES[kind % len(CATEGORIES)],
            task=f"task {kind}",
            scores={f"m{m}": float(right[row, m]) for m in range(models) if known[row, m]},
            costs={f"m{m}": float(price) for m, price in enumerate(prices)},
        )
        for row, kind in enumerate(kinds.tolist())
    ]


def vectors_of(
    centres: NDArray[np.float64], kinds: NDArray[np.int64], random: np.random.Generator
) -> NDArray[np.float32]:
    """Return a vector of length 1 near the centre of each prompt's task, [n, d]."""
    vectors = 0.6 * centres[kinds] + random.normal(size=(len(kinds), DIMENSION))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


if __name__ == "__main__":
    main()
