"""How many judged prompts a router needs, from none: random and uncertainty sampling side by side.

    python tests/benchmarks/bench_learning_curve.py [SEEDS] [--report DIR]

Prompts of the demo's templates are answered by the simulator's four models and compared by its three judges
(right in 95 % of their verdicts) until each prompt's winner is settled. After 50, 100, … judged prompts a
router is trained on their labels, and routes 1,000 other prompts, whose true quality is the documented
strength of the model it chooses. The best possible routing takes each prompt's strongest model: strengths
depend on the category alone, so nothing that the features say could do better. Random sampling is that of
`waybill collect`, uncertainty sampling that of `collect --by uncertainty`: each step's sample is drawn from a
pool of 1,500 prompts by the router of the step before. Without labels all goes to the cheapest model, as
without a router.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from router_core.data.sampling import Candidate, Sampler  # noqa: E402
from router_core.judging.dawid_skene import robust_pair_scores  # noqa: E402
from router_core.policy.uncertainty import margin_uncertainty  # noqa: E402
from router_core.router import Router  # noqa: E402
from tests.benchmarks.judged_world import (  # noqa: E402
    HONEST,
    MODELS,
    NAMES,
    Bench,
    Embedding,
    Prompts,
    Reached,
    answers_to,
    best,
    routed,
)

STEPS = (50, 100, 150, 200, 300)
POOL, HELD_OUT = 1_500, 1_000
WAYS = ("random", "uncertainty")
#: the share of the best possible quality that is to be reached
GOAL = 0.9
Curves = NDArray[np.float64]  # [seeds, 1 + steps, policies]
POLICIES = ("saving", "quality")


def sample(pool: Prompts, taken: Sequence[int], number: int, router: Router | None, seed: int) -> list[int]:
    """That many more rows of the pool, drawn as `collect` draws them."""
    left = sorted(set(range(len(pool))) - set(taken))
    uncertainty = np.zeros(len(left))
    if router is not None:
        part = pool.take(left)
        scored = router.predict(part.vectors, part.texts)
        uncertainty = margin_uncertainty(scored.blended, score_range=router.hyperparameters.score_range)
    sampler: Sampler[int] = Sampler(number / len(left), seed=seed)
    for row, one in zip(left, uncertainty.tolist(), strict=True):
        sampler.add(Candidate(pool.texts[row], None, row, one))
    return [one.item for one in sampler.chosen()]


def curve(embedding: Embedding, test: Prompts, way: str, seed: int) -> list[list[Reached]]:
    """What is reached with no label and after each step, by each policy."""
    pool, random = embedding.prompts(10_000 + seed, POOL), Random(seed)
    bench, router, taken = Bench(HONEST, random), None, list[int]()
    cheapest = min(NAMES, key=lambda name: MODELS[name].output_price)
    reached = [[Reached.by(test, NAMES.index(cheapest))] * len(POLICIES)]
    for step in STEPS:
        asked = router if way == "uncertainty" else None
        for row in sample(pool, taken, step - len(taken), asked, seed):
            bench.judge(row, pool.texts[row], answers_to(pool.texts[row], random))
            taken.append(row)
        router = embedding.train(pool, bench.labels(robust_pair_scores), seed=seed)
        reached.append([routed(router, test, policy) for policy in POLICIES])
    return reached


def mean_and_error(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Over seeds, the first axis."""
    return values.mean(axis=0), values.std(axis=0, ddof=1) / math.sqrt(len(values))


def show(way: str, found: NDArray[np.float64], goal: float) -> None:
    """Print one way's table; found [seeds, 1 + steps, policies, (quality, cost)]."""
    mean, error = mean_and_error(found)
    reached = (found[:, :, :, 0] >= goal).sum(axis=0)
    print(f"\n{way} sampling, {len(found)} seeds")
    print(f"{'prompts':>8}", *(f"{policy:>18} {'≥ goal':>8} {'$/1,000':>8}" for policy in POLICIES))
    for row, step in enumerate((0, *STEPS)):
        cells = [
            f"{mean[row, p, 0]:>10.3f} ± {error[row, p, 0]:.3f} {reached[row, p]:>5}/{len(found):<2}"
            f" {1000 * mean[row, p, 1]:>8.3f}"
            for p in range(len(POLICIES))
        ]
        print(f"{step:>8}", *cells)
    for p, policy in enumerate(POLICIES):
        print(f"  {policy}: the mean passes the goal {_first(mean[:, p, 0] >= goal)}; all seeds "
              f"{_first(reached[:, p] == len(found))}")  # fmt: skip


def _first(flags: NDArray[np.bool_]) -> str:
    """From which step on it stays so."""
    stays = np.logical_and.accumulate(flags[::-1])[::-1]
    return f"from {(0, *STEPS)[int(stays.argmax())]} judged prompts on" if stays.any() else "nowhere"


def draw(
    found: dict[str, NDArray[np.float64]], *, best_possible: float, best_single: float, path: Path
) -> None:
    """The curves as PNG: means with standard errors, under the saving policy."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.2, 4.2))
    for way, colour in zip(found, ("#1f6feb", "#d9822b"), strict=True):
        mean, error = mean_and_error(found[way][:, :, 0, 0])
        axes.errorbar((0, *STEPS), mean, error, color=colour, capsize=3, label=f"{way} sampling")
    for level, name, style in (
        (best_possible, "best possible", "-"),
        (GOAL * best_possible, "90 % of it", "--"),
        (best_single, "best single model", ":"),
    ):
        axes.axhline(level, color="#9aa5b1", linestyle=style, linewidth=1)
        axes.annotate(name, (max(STEPS), level), fontsize=8, ha="right", va="bottom", color="#5b6b7a")
    axes.set(xlabel="judged prompts", ylabel="documented strength of the chosen model")
    axes.set_title("From no label to a router (mean ± standard error over seeds)", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.0, 0.12))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run all seeds both ways, print the tables and draw the curves."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("seeds", nargs="?", type=int, default=10)
    options.add_argument("--report", type=Path, default=Path("build/learning"))
    given = options.parse_args()
    started, embedding = time.monotonic(), Embedding.load()
    test = embedding.prompts(99, HELD_OUT)
    most = best(test)
    singles = {name: Reached.by(test, column) for column, name in enumerate(NAMES)}
    single = max(singles, key=lambda name: singles[name].quality)
    for name, one in {"best possible": most, f"{single}, best single": singles[single]}.items():
        print(f"{name}: {one.quality:.3f}, ${1000 * one.cost:.3f} for 1,000 prompts")
    print(f"goal: {GOAL:.0%} of the best possible, {GOAL * most.quality:.3f}")
    found = {}
    for way in WAYS:
        runs = [curve(embedding, test, way, seed) for seed in range(given.seeds)]
        found[way] = np.array(
            [[[(one.quality, one.cost) for one in step] for step in run] for run in runs], dtype=np.float64
        )
        show(way, found[way], GOAL * most.quality)
    gain = found["uncertainty"][:, :, 0, 0] - found["random"][:, :, 0, 0]
    print("\nuncertainty less random, paired by seed, saving:")
    for step, mean, error in zip((0, *STEPS), *mean_and_error(gain), strict=True):
        print(f"{step:>8} {mean:>+10.3f} ± {error:.3f}")
    path = given.report / "learning_curve.png"
    draw(found, best_possible=most.quality, best_single=singles[single].quality, path=path)
    print(f"\n{path}; {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
