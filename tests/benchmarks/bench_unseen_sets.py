"""Is the router ever behind the best single model? `python tests/benchmarks/bench_unseen_sets.py`.

Makes varied labelled sets out of those in --data: 2 to 14 models, 50 to 2,000 prompts, scores as they are, of
pass or fail, noisy, mostly tied, one winner a prompt, partly missing, shuffled; with and without categories.
Trains on each as `waybill train` does, and routes up to 1,000 prompts of the same set that it has not seen;
with `--kinds-left-out`, prompts of a third of the tasks, of which it has seen none.
Prints for each policy how many sets lie how many standard errors behind the best single model. Where the
guard holds the difference is 0; where it does not and nothing is gained or lost in truth, 16 % of the sets
lie more than one standard error behind by chance alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from router_core.data.categories import read_sample
from router_core.data.labelled_prompts import (
    LabelledPrompt,
    cost_matrix,
    model_names,
    read_labelled,
    score_matrix,
)
from router_core.embedding.embedder import Embedder
from router_core.embedding.static_encoder import static_files
from router_core.policy.columns import best_column
from router_core.policy.preferences import Policy, RoutingPreferences
from router_core.policy.shift import default_cost_weight
from router_core.router import Router
from router_core.training.train import train
from tasks.settings import STATIC
from workers.routers.embedders import static_folder

DATA = ("llmrouter_train", "routerbench_part")
MODELS = (2, 2, 3, 4, 6, 9, 14)
PROMPTS = (50, 100, 200, 400, 800, 1400, 2000)
KINDS = ("plain", "pass or fail", "noisy", "tied", "one winner", "missing", "shuffled")
POLICIES: tuple[Policy, ...] = ("quality", "saving", "weighted")
HELD_OUT = 1000
Array = NDArray[np.float32]
Rows = NDArray[np.int64]
Data = tuple[list[LabelledPrompt], Array]


@dataclass(frozen=True)
class Found:
    """One set: what it was, and by policy the gain over the best single model with its standard error."""

    what: str
    gains: dict[str, tuple[float, float]]

    def line(self) -> str:
        """Return it as a row of a table."""
        return f"| {self.what} | " + " | ".join(shown(*self.gains[policy]) for policy in POLICIES) + " |"


def main() -> None:
    """Print a row for each set, and the counts."""
    options = parsed()
    files = [options.data / f"{name}.jsonl.gz" for name in DATA]
    if not all(file.is_file() for file in files):
        print(f"skipped: no labelled data in {options.data}")
        return
    embedder = Embedder.from_files(STATIC, static_files(static_folder(print)))
    sample = embedder.encode([row.prompt for row in read_sample()])
    data = [with_vectors(list(read_labelled(file)), embedder) for file in files]
    print("| set | " + " | ".join(POLICIES) + " |\n|---|" + "---|" * len(POLICIES))
    found = []
    for number in range(options.sets):
        random = np.random.default_rng([options.seed, number])
        rows = data[int(random.integers(len(data)))]
        found.append(one(rows, sample, random, options.threads, kinds_left_out=options.kinds_left_out))
        print(found[-1].line(), flush=True)
    summary(found)


def parsed() -> argparse.Namespace:
    """Return the options."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", type=Path, default=Path("../shared/data"))
    options.add_argument("--sets", type=int, default=60)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--kinds-left-out", action="store_true")
    return options.parse_args()


def with_vectors(rows: list[LabelledPrompt], embedder: Embedder) -> Data:
    """Return rows and their vectors."""
    return rows, embedder.encode([row.prompt for row in rows])


def one(
    data: Data, sample: Array, random: np.random.Generator, threads: int, *, kinds_left_out: bool
) -> Found:
    """Make a set, train on a part of it, and route the rest."""
    rows, vectors = data
    kind, models, count = str(random.choice(KINDS)), int(random.choice(MODELS)), int(random.choice(PROMPTS))
    labels = bool(random.integers(2))
    order = random.permutation(len(rows))
    order, count = new_kinds_last(rows, order, count, random) if kinds_left_out else (order, count)
    order = order[: count + HELD_OUT]
    made = varied([rows[row] for row in order], kind, models, labels, random)
    learnt, new = made[:count], made[count:]
    router = train(
        learnt,
        vectors[order[:count]],
        embedder_id=STATIC,
        embedder_fingerprint=STATIC,
        sample_vectors=sample,
        threads=threads,
    )
    named = "with" if labels else "no"
    what = f"{kind}, {len(model_names(made))} models, {count} prompts, {named} categories"
    return Found(what, gains(router, new, vectors[order[count:]]))


def new_kinds_last(
    rows: Sequence[LabelledPrompt], order: Rows, count: int, random: np.random.Generator
) -> tuple[Rows, int]:
    """Return `count` rows of two thirds of the tasks, then those of the others; and how many came first."""
    tasks = random.permutation(sorted({str(row.task) for row in rows}))
    new = set(tasks[: max(1, len(tasks) // 3)].tolist())
    is_new = np.array([str(rows[row].task) in new for row in order])
    familiar = order[~is_new][:count]
    return np.concatenate([familiar, order[is_new]]), len(familiar)


def varied(
    rows: Sequence[LabelledPrompt], kind: str, models: int, labels: bool, random: np.random.Generator
) -> list[LabelledPrompt]:
    """Return rows of so many models with scores of a kind; beyond those there are, noisy copies of some."""
    known = sorted(rows[0].scores)
    chosen = list(random.choice(known, size=min(models, len(known)), replace=False))
    scores = score_matrix(rows, chosen)
    costs = cost_matrix(rows, chosen)
    while scores.shape[1] < models:
        copied = int(random.integers(len(chosen)))
        swapped = random.random(len(rows)) < 0.2
        scores = np.column_stack(
            [scores, np.where(swapped, random.permutation(scores[:, copied]), scores[:, copied])]
        )
        costs = np.column_stack([costs, costs[:, copied] * random.uniform(0.5, 2)])
    scores = KIND[kind](scores, random)
    names = [f"m{index}" for index in range(scores.shape[1])]
    return [
        replace(
            row,
            category=row.category if labels else None,
            task=row.task if labels else None,
            scores={name: float(s) for name, s in zip(names, scores[index], strict=True) if np.isfinite(s)},
            costs={name: float(c) for name, c in zip(names, costs[index], strict=True)},
        )
        for index, row in enumerate(rows)
    ]


def one_winner(scores: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Return 1 for one of the best models of each prompt, as a human preference would, else 0."""
    noisy = scores + 0.3 * random.normal(size=scores.shape)
    return (noisy == noisy.max(axis=1, keepdims=True)).astype(np.float64)


def tied(scores: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Return scores that are all equal on three prompts of four."""
    return np.where(
        random.random((len(scores), 1)) < 0.75, np.round(scores.mean(axis=1, keepdims=True)), scores
    )


KIND = {
    "plain": lambda scores, random: scores,
    "pass or fail": lambda scores, random: (scores > 0.5).astype(np.float64),
    "noisy": lambda scores, random: 5 * scores + 5 * random.random(scores.shape),
    "tied": tied,
    "one winner": one_winner,
    "missing": lambda scores, random: np.where(random.random(scores.shape) < 0.4, np.nan, scores),
    "shuffled": lambda scores, random: scores[random.permutation(len(scores))],
}


def gains(router: Router, rows: Sequence[LabelledPrompt], vectors: Array) -> dict[str, tuple[float, float]]:
    """Return the mean gain of each policy over the best single model, with its standard error."""
    texts = [row.prompt for row in rows]
    scored = router.predict(vectors, texts)
    costs, scores = router.expected_costs(scored, texts), score_matrix(rows, router.models)
    # Of models that were equally good in training, the router takes the cheapest.
    best, every = best_column(router.prior, costs), np.arange(len(rows))
    result = {}
    for policy in POLICIES:
        weight = default_cost_weight(router.hyperparameters, "guard")
        wanted = RoutingPreferences(policy=policy, cost_weight=weight)
        choice = router.decide(scored, models=router.models, costs=costs, preferences=wanted).choice
        differences = scores[every, choice] - scores[:, best]
        differences = differences[np.isfinite(differences)]
        result[policy] = float(differences.mean()), float(differences.std(ddof=1) / np.sqrt(len(differences)))
    return result


def shown(gain: float, error: float) -> str:
    """Return a gain and how many standard errors it is."""
    return "held" if error == 0 else f"{gain:+.4f} ± {error:.4f} ({gain / error:+.1f})"


def summary(found: Sequence[Found]) -> None:
    """Print by policy how many sets lie behind, and by how many standard errors."""
    print("\n| policy | sets | held | more than 1 behind | by chance | more than 2 behind | mean of all |")
    print("|---|---|---|---|---|---|---|")
    for policy in POLICIES:
        pairs = [each.gains[policy] for each in found]
        errors = [gain / error for gain, error in pairs if error > 0]
        behind = [sum(error < -limit for error in errors) for limit in (1, 2)]
        mean = np.mean(errors) if errors else 0.0
        print(
            f"| {policy} | {len(pairs)} | {len(pairs) - len(errors)} | {behind[0]} |"
            f" {0.16 * len(errors):.1f} | {behind[1]} | {mean:+.1f} standard errors where not held |"
        )
    print(json.dumps([{"set": each.what, **each.gains} for each in found]))


if __name__ == "__main__":
    main()
