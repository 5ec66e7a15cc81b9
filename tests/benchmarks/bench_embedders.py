"""Routing quality with a static embedding and with MiniLM, cross-validated by prompt, on the same folds.

    python tests/benchmarks/bench_embedders.py [FILE …] [--folds 5] [--vectors DIR]

Without files, the labelled sets of ../../shared/data. Vectors are kept under DIR (default: build/vectors).
Prints what `cross_validate` says of each embedder: policies beside the best single model and kNN, with
standard errors; and for two policies the mean difference of the two embedders' scores, prompt by prompt, with
the standard error of those differences.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from router_core.data.categories import SAMPLE_PATH, read_sample
from router_core.data.labelled_prompts import LabelledPrompt, read_labelled
from router_core.data.splits import assign_folds, splits
from router_core.embedding.embedder import Embedder
from router_core.embedding.model_files import DEFAULT_MODEL
from router_core.embedding.static_encoder import static_files
from router_core.evaluation import cross_validate
from router_core.evaluation.tables import strategies_table
from router_core.policy.preferences import Policy
from router_core.router import Router
from router_core.training.train import train
from workers.routers.embedders import static_folder

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SETS = ("llmrouter_train", "routerbench_part")
EMBEDDERS = ("static", "minilm")
POLICIES: tuple[Policy, ...] = ("quality", "cargo")


def main() -> None:
    options = parsed()
    for file in options.files or [DATA / f"{name}.jsonl.gz" for name in SETS]:
        if not file.exists():
            print(f"skipped: {file} is not here")
            continue
        rows = list(read_labelled(file))
        found, reached = {}, {}
        for name in EMBEDDERS:
            vectors = vectors_of(file, rows, name, options.vectors)
            fit = Fit(vectors_of(SAMPLE_PATH, read_sample(), name, options.vectors))
            found[name] = cross_validate(rows, vectors, fit, folds=options.folds, seed=0)
            reached[name] = held_out_scores(rows, vectors, fit.routers, options.folds)
            print(f"\n## {file.name}, {name}: {len(rows)} prompts, {options.folds} folds by prompt\n")
            print(strategies_table(found[name].strategies), flush=True)
        show_differences(reached)
        means = {
            name: {line.name: [line.quality.value, line.quality.error] for line in one.strategies}
            for name, one in found.items()
        }
        print(json.dumps({"file": file.name, **means}))


def parsed() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("files", nargs="*", type=Path)
    options.add_argument("--folds", type=int, default=5)
    options.add_argument("--vectors", type=Path, default=Path("build/vectors"))
    return options.parse_args()


class Fit:
    """Trains as `waybill train` does, and keeps the router of each fold."""

    def __init__(self, sample: NDArray[np.float32]) -> None:
        self.sample = sample
        self.routers: list[Router] = []

    def __call__(self, rows: Sequence[LabelledPrompt], vectors: NDArray[np.float32]) -> Router:
        router = train(
            rows,
            vectors,
            embedder_id="benchmark",
            embedder_fingerprint="benchmark",
            sample_vectors=self.sample,
        )
        self.routers.append(router)
        return router


def held_out_scores(
    rows: Sequence[LabelledPrompt], vectors: NDArray[np.float32], routers: Sequence[Router], folds: int
) -> dict[Policy, NDArray[np.float64]]:
    """The score of each prompt's choice by the router that has not seen it, [n] for each policy."""
    prompts = [row.prompt for row in rows]
    found: dict[Policy, NDArray[np.float64]] = {policy: np.full(len(rows), np.nan) for policy in POLICIES}
    for (_, held_out), router in zip(
        splits(assign_folds(prompts, folds=folds, seed=0)), routers, strict=True
    ):
        texts = [prompts[row] for row in held_out]
        for policy, scores in found.items():
            decisions = router.route(vectors[held_out], texts, policy=policy)
            chosen = [decisions.model(row) for row in range(len(texts))]
            scores[held_out] = [
                rows[row].scores.get(model, np.nan) for row, model in zip(held_out, chosen, strict=True)
            ]
    return found


def show_differences(reached: dict[str, dict[Policy, NDArray[np.float64]]]) -> None:
    print("\n| policy (prices ignored) | static - minilm | standard error |\n|---|---|---|")
    for policy in POLICIES:
        differences = reached["static"][policy] - reached["minilm"][policy]
        differences = differences[np.isfinite(differences)]
        error = differences.std(ddof=1) / np.sqrt(len(differences))
        print(f"| {policy} | {differences.mean():+.4f} | {error:.4f} |", flush=True)


LOADERS: dict[str, Callable[[], Embedder]] = {
    "static": lambda: Embedder.from_files("static", static_files(static_folder(print))),
    "minilm": lambda: Embedder.load(DEFAULT_MODEL),
}


def vectors_of(file: Path, rows: Sequence[LabelledPrompt], name: str, folder: Path) -> NDArray[np.float32]:
    """The prompts' vectors [n, d], kept by file, number of rows and the model's fingerprint."""
    embedder = LOADERS[name]()
    kept = folder / f"{file.name.split('.')[0]}-{len(rows)}-{embedder.fingerprint[:12]}.npy"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.save(kept, embedder.encode([row.prompt for row in rows]))
    return np.load(kept, allow_pickle=False)


if __name__ == "__main__":
    main()
