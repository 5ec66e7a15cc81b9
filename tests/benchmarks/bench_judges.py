"""Judges with planted faults: what they cost a router trained on their labels, averaged plainly and weighed.

    python tests/benchmarks/bench_judges.py [PROMPTS] [SEEDS]

Prompts of the demo's templates are answered by the simulator's four models: an answer is good with the
probability of workers/simulator/default.toml. Four judges compare all pairs in both orders: one gives 30 % to
the answer shown first, one half to the longer, the replies of one are garbage in one case of five, and one is
always wrong. Nobody is honest but for that. A router is trained on each kind of label and measured by the
documented strength of the models that it chooses on 500 other prompts. Nothing is called; vectors are cached
in /tmp/loop.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from itertools import combinations, islice
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt

from router_core.embedding import Embedder
from router_core.judging.pairs import next_pair
from router_core.judging.quality import quality_of
from router_core.judging.reliability import robust_values
from router_core.judging.scores import mean_values, scores
from router_core.judging.values import Judgement, Pair
from router_core.labelled import LabelledPrompt
from router_core.training import train
from tasks.settings import EmbedderSettings
from tests.unit.judging.planted import (
    Answer,
    Judge,
    always_wrong,
    garbled,
    honest,
    likes_length,
    likes_the_first,
)
from workers.demo_data.prompts import DemoPrompt, write_prompts
from workers.simulator import default_config

HELD_OUT = 500
CACHE = Path("/tmp/loop")
JUDGES: dict[str, Judge] = {
    "first": likes_the_first,
    "length": likes_length,
    "garbage": garbled,
    "wrong": always_wrong,
}
MODELS = {model.name: model for model in default_config().models}
Values = Mapping[int | str, Mapping[Pair, float]]


def answers_to(prompt: DemoPrompt, random: Random) -> dict[str, Answer]:
    """One answer of each model."""
    found = {}
    for name, model in MODELS.items():
        length = model.output_tokens[prompt.category] * math.exp(0.3 * random.gauss(0, 1))
        found[name] = Answer(name, random.random() < model.strengths[prompt.category], length)
    return found


def judged(answers: list[dict[str, Answer]], judges: Mapping[str, Judge], random: Random) -> list[Judgement]:
    """What these judges say of all pairs."""
    return [
        _judged(number, pair, row, name, judge, random)
        for number, row in enumerate(answers)
        for pair in combinations(sorted(row), 2)
        for name, judge in judges.items()
    ]


def _judged(
    number: int, pair: Pair, row: Mapping[str, Answer], name: str, judge: Judge, random: Random
) -> Judgement:
    one, other = row[pair[0]], row[pair[1]]
    longer = 1 if one.length > other.length else -1
    return Judgement(number, name, pair, judge(random, one, other), judge(random, other, one), longer)


def stopped(values: Values) -> dict[int | str, dict[Pair, float]]:
    """What is left of the pairs when each prompt stops at its winner."""
    kept: dict[int | str, dict[Pair, float]] = {}
    for prompt, pairs in values.items():
        seen: dict[Pair, float] = {}
        while (pair := next_pair(list(MODELS), seen, salt=str(prompt))) is not None:
            seen[pair] = pairs.get(pair, 0.5)
        kept[prompt] = seen
    return kept


def quality(values: Values, prompts: list[DemoPrompt], vectors: npt.NDArray[np.float32], seed: int) -> float:
    """Mean documented strength of what a router trained on these labels chooses on the held-out prompts."""
    number = len(prompts) - HELD_OUT
    rows = [
        LabelledPrompt(str(n), prompts[n].text, prompts[n].category, None, scores(values[n]))
        for n in range(number)
        if values.get(n)
    ]
    kept = vectors[[int(row.id) for row in rows]]
    router = train(rows, kept, embedder_id="bench", embedder_fingerprint="bench", seed=seed)
    held = prompts[number:]
    chosen = router.route(vectors[number:], [prompt.text for prompt in held], policy="quality")
    models = [chosen.model(row) for row in range(len(held))]
    return mean_strength(held, models)


def mean_strength(prompts: list[DemoPrompt], models: list[str]) -> float:
    pairs = zip(prompts, models, strict=True)
    return sum(MODELS[model].strengths[prompt.category] for prompt, model in pairs) / len(prompts)


def error(values: Values, answers: list[dict[str, Answer]]) -> float:
    """Root mean square of what the pairs' values are off from what the answers were worth."""
    truth = {
        (number, pair): 0.5 + (row[pair[0]].good - row[pair[1]].good) / 2
        for number, row in enumerate(answers)
        for pair in combinations(sorted(row), 2)
    }
    off = [value - truth[int(n), pair] for n, pairs in values.items() for pair, value in pairs.items()]
    return float(np.sqrt(np.mean(np.square(off))))


def vectors_of(texts: list[str], seed: int) -> npt.NDArray[np.float32]:
    """Vectors of the prompts, computed once."""
    file = CACHE / f"judges-{len(texts)}-{seed}.npy"
    if not file.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        np.save(file, Embedder.load(EmbedderSettings().model).encode(texts))
    return np.asarray(np.load(file))


def run(number: int, seed: int) -> dict[str, float]:
    """Held-out quality by kind of label."""
    prompts = list(islice(write_prompts(1_000 + seed), number + HELD_OUT))
    vectors = vectors_of([prompt.text for prompt in prompts], seed)
    random = Random(seed)
    answers = [answers_to(prompt, random) for prompt in prompts[:number]]
    faulty, clean = judged(answers, JUDGES, random), judged(answers, {"honest": honest}, random)
    if seed == 0:
        report = quality_of(faulty)
        print(f"{report.pairs} pairs, Krippendorff's alpha {report.alpha:.2f}; findings:")
        print("".join(f"  {finding}\n" for finding in report.findings), end="", flush=True)
    held = prompts[number:]
    labels = {
        "honest judge alone": mean_values(clean),
        "faulty, averaged": mean_values(faulty),
        "faulty, weighed": robust_values(faulty),
    }
    full = sum(map(len, labels["faulty, weighed"].values()))
    labels["faulty, weighed, stopped at the winner"] = short = stopped(labels["faulty, weighed"])
    found = {name: quality(values, prompts, vectors, seed) for name, values in labels.items()}
    best = [max(MODELS, key=lambda name: MODELS[name].strengths[prompt.category]) for prompt in held]
    return {
        **found,
        "label error, averaged": error(labels["faulty, averaged"], answers),
        "label error, weighed": error(labels["faulty, weighed"], answers),
        "best possible": mean_strength(held, best),
        "best single model": max(mean_strength(held, [name] * len(held)) for name in MODELS),
        "saved pairs": 1 - sum(map(len, short.values())) / full,
    }


def main(number: int, seeds: int) -> None:
    """Run all seeds and print means with standard errors."""
    runs = [run(number, seed) for seed in range(seeds)]
    print(f"\n{number} judged prompts, {seeds} seeds; held-out quality, and loss to the best possible:")
    for name in runs[0]:
        values = np.array([one[name] for one in runs])
        loss = np.array([one["best possible"] for one in runs]) - values
        error = values.std(ddof=1) / math.sqrt(seeds) if seeds > 1 else math.nan
        shown = "" if name.startswith(("best possible", "saved", "label")) else f"   loss {loss.mean():.4f}"
        print(f"  {name:<40} {values.mean():.4f} ± {error:.4f}{shown}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200, int(sys.argv[2]) if len(sys.argv) > 2 else 5)
