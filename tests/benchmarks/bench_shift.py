"""Is the router behind the best single model on kinds that it never saw? Part of `make bench-quality`.

Leaves whole tasks out of the training (7 folds, or one for each task where there are fewer), and prompts at
random (5 folds). For mixed batches, a fifth of the prompts of the other tasks is left out as well, and as
many prompts of both come together. For a change of source, a quarter of the tasks is labelled and all others
are routed. Prints the gain over the best single model under `shift = "guard"` and
`shift = "none"`, of kNN, and the trade by strictness: thresholds on novelty, and on the distance to the
nearest prompts alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from bench_router_quality import Bench, parser, path_of
from numpy.typing import NDArray

from router_core.data.labelled_prompts import LabelledPrompt, score_matrix
from router_core.data.splits import assign_folds, splits
from router_core.evaluation.tables import markdown_table
from router_core.policy.columns import best_column
from router_core.policy.preferences import Policy, RoutingPreferences, Shift
from router_core.policy.shift import default_cost_weight
from router_core.predictors.ensemble import PARTS
from router_core.predictors.scored_prompts import ScoredPrompts
from router_core.router import Router

Rows = NDArray[np.int64]
Gains = dict[str, list[NDArray[np.float64]]]

DATA = ("llmrouter_train", "mmlu_pro_a", "zeroeval")
FOLDS = {"tasks": 7, "random": 5, "mixed": 7, "source": 4}
POLICIES: tuple[Policy, ...] = ("quality", "saving", "weighted")
#: As many prompts as a chunk of the route stage has by default.
BATCH = 500
#: Thresholds of novelty, from lenient to strict; training tries the last ones.
THRESHOLDS = (0.9, 0.8, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
#: The thresholds of the one signal alone: shares of the labelled prompts that are nearer.
RANKS = (0.99, 0.95, 0.9, 0.8, 0.65, 0.5, 0.35, 0.2)
SHIFTS: tuple[Shift, ...] = ("guard", "none")


def main() -> None:
    """Print the tables of each set that is there."""
    options = parsed()
    bench = Bench(options)
    for name in options.sets.split(","):
        if not path_of(options, name).is_file():
            print(f"bench-shift: skipped, no {name}", file=sys.stderr)
            continue
        for split in options.splits.split(","):
            gains, seconds = measured(bench, name, split, options.most)
            print(f"\n## `{name}`, {TITLES[split]}\n\nTraining took {seconds:.0f} s.\n")
            print(table(gains), flush=True)


TITLES = {
    "tasks": "whole tasks left out",
    "random": "prompts left out at random",
    "mixed": "half of each batch of tasks left out",
    "source": "labels of a quarter of the tasks only, all others left out",
}


def parsed() -> argparse.Namespace:
    """Return the options of bench_router_quality.py, and which sets and splits."""
    options = parser()
    options.add_argument("--sets", default=",".join(DATA))
    options.add_argument("--splits", default=",".join(FOLDS))
    options.add_argument("--most", type=int, default=7, help="only the first so many folds, for a quick look")
    return options.parse_args()


def folds_of(rows: list[LabelledPrompt], split: str, seed: int) -> NDArray[np.int64]:
    """Return the fold of each row; tasks are dealt out in random order."""
    if split == "random":
        return assign_folds([row.prompt for row in rows], folds=FOLDS[split], seed=seed)
    tasks = sorted({str(row.task) for row in rows})
    order = [tasks[index] for index in np.random.default_rng(seed).permutation(len(tasks))]
    return np.array([order.index(str(row.task)) % min(FOLDS[split], len(order)) for row in rows])


def measured(bench: Bench, name: str, split: str, most: int) -> tuple[Gains, float]:
    """Return the gains by way, prompt by prompt, and the mean seconds of a training."""
    rows, vectors = bench.data(name)
    gains: Gains = defaultdict(list)
    took = []
    fold = folds_of(rows, split, bench.options.seed)
    for number, (learnt, held_out) in enumerate(splits(fold)):
        if number >= most:
            break
        if split == "mixed":
            learnt, held_out = mixed(learnt, held_out, np.random.default_rng(bench.options.seed))
        if split == "source":
            learnt, held_out = held_out, learnt
        started = time.perf_counter()
        router = bench.train([rows[row] for row in learnt], vectors[learnt])
        took.append(time.perf_counter() - started)
        new = [rows[row] for row in held_out]
        for way, found in ways(router, new, vectors[held_out]):
            if split == "mixed":
                gains[f"{way}: familiar half"].append(found[::2])
                gains[f"{way}: new half"].append(found[1::2])
            else:
                gains[way].append(found)
        print(f"bench-shift: {name} {split} {number + 1}: {took[-1]:.0f} s", file=sys.stderr)
        print(table(gains), file=sys.stderr, flush=True)  # what is left if the run is ended
    return gains, float(np.mean(took))


def mixed(learnt: Rows, new: Rows, random: np.random.Generator) -> tuple[Rows, Rows]:
    """Return what is learnt from, and familiar and new rows in turn, as many of each."""
    order = random.permutation(learnt)
    count = min(len(order) // 5, len(new))
    batches = np.stack([order[:count], random.permutation(new)[:count]], axis=1).ravel()
    return np.sort(order[count:]), batches


def ways(
    router: Router, rows: list[LabelledPrompt], vectors: NDArray[np.float32]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield the gain of each way over the best single model of the training, prompt by prompt."""
    texts = [row.prompt for row in rows]
    scored = predicted(router, vectors, texts)
    costs, scores = router.expected_costs(scored, texts), score_matrix(rows, router.models)
    every, best = np.arange(len(rows)), best_column(router.prior, costs)

    def choice(router: Router, scored: ScoredPrompts, policy: Policy, shift: Shift) -> NDArray[np.int64]:
        weight = default_cost_weight(router.hyperparameters, shift)
        preferences = RoutingPreferences(policy=policy, cost_weight=weight)
        return router.decide(
            scored, models=router.models, costs=costs, preferences=preferences, shift=shift
        ).choice

    def gain(columns: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.nan_to_num(scores[every, columns] - scores[:, best])

    for policy in POLICIES:
        for shift in SHIFTS:
            yield f"`{policy}`, shift {shift}", gain(choice(router, scored, policy, shift))
    parts = router.predictors.ensemble.predict(scored.representation, scored.predictions.posterior).parts
    yield "kNN, 300 neighbours", gain((router.prior + parts[PARTS.index("memory")]).argmax(axis=1))
    yield "oracle", gain(np.nan_to_num(scores, nan=-np.inf).argmax(axis=1))
    if router.hyperparameters.shift is None or scored.novelty is None:
        return
    for threshold in THRESHOLDS:
        strict = with_threshold(router, threshold)
        yield f"trade: novelty at most {threshold}", gain(choice(strict, scored, "quality", "guard"))
    alone = replace(scored, novelty=by_distance(router, scored))
    for threshold in RANKS:
        strict = with_threshold(router, threshold)
        yield f"trade: distance rank at most {threshold}", gain(choice(strict, alone, "quality", "guard"))
    threshold = router.hyperparameters.shift.thresholds["quality"]
    yield "share held by `quality`", (scored.novelty > threshold) * 1.0


def predicted(router: Router, vectors: NDArray[np.float32], texts: list[str]) -> ScoredPrompts:
    """Return the scored prompts, with the novelty that they have in batches of BATCH prompts."""
    scored = router.predict(vectors, texts)
    if scored.novelty is None:
        return scored
    batches = [scored.take(np.arange(len(texts))[at : at + BATCH]) for at in range(0, len(texts), BATCH)]
    parts = [router.scored(batch.representation, batch.predictions).novelty for batch in batches]
    return replace(scored, novelty=np.concatenate(parts))


def with_threshold(router: Router, threshold: float) -> Router:
    """Return the router with today's margin and this threshold, whatever training chose."""
    hyperparameters = router.hyperparameters
    assert hyperparameters.shift is not None
    guard = replace(hyperparameters.shift, margins=hyperparameters.margins, thresholds={"quality": threshold})
    return replace(router, hyperparameters=replace(hyperparameters, shift=guard))


def by_distance(router: Router, scored: ScoredPrompts) -> NDArray[np.float64]:
    """Return the share of labelled prompts that are nearer to their nearest ones than each prompt, [n]."""
    ensemble = router.predictors.ensemble
    distances, _ = ensemble.knn.neighbours(ensemble.knn.inputs, 21)
    own = np.sort(np.log(np.maximum(distances[:, 1:].mean(axis=1), 0) + 1e-3))
    assert scored.predictions.signals is not None
    return np.searchsorted(own, scored.predictions.signals[:, 0]) / len(own)


def table(gains: Gains) -> str:
    """Return the mean of each way with its standard error, paired by prompt."""
    rows = []
    for way, parts in gains.items():
        values = np.concatenate(parts)
        mean, error = values.mean(), values.std(ddof=1) / np.sqrt(len(values))
        share = way.startswith("share")
        rows.append((way, f"{mean:.1%} ± {error:.1%}" if share else f"{mean:+.4f} ± {error:.4f}"))
    return markdown_table(("", "gain over the best single model; of prompts, the share"), rows)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
