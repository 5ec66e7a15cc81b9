"""Judges with planted faults: what they cost routing by their labels, averaged plainly and weighed.

    python tests/benchmarks/bench_judges.py [PROMPTS] [SEEDS]

Prompts of the demo's templates are answered by the simulator's four models: an answer is good with the
probability of workers/simulator/default.toml. Four judges compare all pairs in both orders: one gives 30 % to
the answer shown first, one half to the longer, the replies of one are garbage in one case of five, and one is
always wrong. Nobody is honest but for that.

Two ways of routing by labels: the model with the best mean score in each category, and a router trained on
the labels as `waybill train` does, guard included. Each is measured on other prompts by the documented
strength of what it chooses: loss is what the best model of each prompt has more. Two worlds: in the
simulator's own, better models write more, so a judge who likes length is right by luck; in the other, the
weak models are the verbose ones. Nothing is called.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import combinations, islice
from pathlib import Path
from random import Random

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from router_core.judging.dawid_skene import robust_pair_scores  # noqa: E402
from router_core.judging.judge_assessment import assess_judges  # noqa: E402
from router_core.judging.scores import mean_pair_scores, prompt_scores  # noqa: E402
from router_core.judging.tournament import next_pair  # noqa: E402
from router_core.judging.verdicts import Judgement, Pair  # noqa: E402
from tests.benchmarks.judged_world import NAMES, Embedding, Prompts, Reached, best, routed  # noqa: E402
from tests.support.biased_judges import (  # noqa: E402
    Answer,
    Judge,
    always_wrong,
    garbled,
    likes_length,
    likes_the_first,
)
from workers.demo.data.prompts import DemoPrompt, write_prompts  # noqa: E402
from workers.simulator import default_config  # noqa: E402

JUDGES: dict[str, Judge] = {
    "first": likes_the_first,
    "length": likes_length,
    "garbage": garbled,
    "wrong": always_wrong,
}
MODELS = {model.name: model for model in default_config().models}
BEST_SINGLE = max(MODELS.values(), key=lambda model: sum(model.strengths.values()))
VERBOSE = {"sim-nano": 200, "sim-writer": 160, "sim-coder": 100, "sim-large": 80}
WORLDS: dict[str, Callable[[str, str], int]] = {
    "the simulator's own lengths": lambda model, category: MODELS[model].output_tokens[category],
    "weak models are verbose": lambda model, _: VERBOSE[model],
}
Values = Mapping[int | str, Mapping[Pair, float]]
Answers = list[dict[str, Answer]]


def answers_to(prompt: DemoPrompt, length_of: Callable[[str, str], int], random: Random) -> dict[str, Answer]:
    """One answer of each model."""
    found = {}
    for name, model in MODELS.items():
        length = length_of(name, prompt.category) * math.exp(0.3 * random.gauss(0, 1))
        found[name] = Answer(name, random.random() < model.strengths[prompt.category], length)
    return found


def judged(answers: Answers, random: Random) -> list[Judgement]:
    """What the judges say of all pairs."""
    return [
        _judged(number, pair, row, name, judge, random)
        for number, row in enumerate(answers)
        for pair in combinations(sorted(row), 2)
        for name, judge in JUDGES.items()
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


def error(values: Values, answers: Answers) -> float:
    """Root mean square of what the pairs' values are off from what the answers were worth."""
    off = [
        value - 0.5 - (answers[int(prompt)][one].good - answers[int(prompt)][other].good) / 2
        for prompt, pairs in values.items()
        for (one, other), value in pairs.items()
    ]
    return float(np.sqrt(np.mean(np.square(off))))


def loss(values: Values, prompts: list[DemoPrompt]) -> float:
    """What the best model by label in each category is below the best by truth, mean over categories."""
    heard: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for prompt, pairs in values.items():
        for model, score in prompt_scores(pairs).items():
            heard[prompts[int(prompt)].category][model].append(score)
    losses = []
    for category, by_model in heard.items():
        chosen = max(by_model, key=lambda model: float(np.mean(by_model[model])))
        best = max(model.strengths[category] for model in MODELS.values())
        losses.append(best - MODELS[chosen].strengths[category])
    return float(np.mean(losses))


def single_loss(test: Prompts) -> float:
    """What the best single model loses: a router whose deviation test lets no prompt leave it."""
    return best(test).quality - Reached.by(test, NAMES.index(BEST_SINGLE.name)).quality


def router_loss(embedding: Embedding, prompts: Prompts, test: Prompts, values: Values) -> float:
    """What a router trained on these values is below the best by truth, mean over other prompts."""
    labels = {int(prompt): prompt_scores(pairs) for prompt, pairs in values.items()}
    router = embedding.train(prompts, labels)
    return best(test).quality - routed(router, test).quality


def run(world: str, number: int, seed: int, embedding: Embedding, test: Prompts) -> dict[str, float]:
    """Figures of one seed."""
    prompts = list(islice(write_prompts(1_000 + seed), number))
    random = Random(seed)
    answers = [answers_to(prompt, WORLDS[world], random) for prompt in prompts]
    verdicts = judged(answers, random)
    if seed == 0:
        report = assess_judges(verdicts)
        print(f"\n{world}: {report.pairs} pairs, Krippendorff's alpha {report.alpha:.2f}")
        print("".join(f"  {finding}\n" for finding in report.findings), end="")
    averaged, weighed = mean_pair_scores(verdicts), robust_pair_scores(verdicts)
    short = stopped(weighed)
    embedded = embedding.prompts(1_000 + seed, number)
    by_router = {
        f"router's loss, {name}": router_loss(embedding, embedded, test, values)
        for name, values in (("averaged", averaged), ("weighed", weighed))
    }
    return {
        **by_router,
        "router's loss, averaged less weighed": by_router["router's loss, averaged"]
        - by_router["router's loss, weighed"],
        "loss, averaged": loss(averaged, prompts),
        "loss, weighed": loss(weighed, prompts),
        "loss, weighed, stopped at each winner": loss(short, prompts),
        "pairs saved by stopping": 1 - sum(map(len, short.values())) / sum(map(len, weighed.values())),
        "label error, averaged": error(averaged, answers),
        "label error, weighed": error(weighed, answers),
    }


def main(number: int, seeds: int) -> None:
    """Run all seeds in both worlds and print means with standard errors."""
    embedding = Embedding.load()
    test = embedding.prompts(99, 1_000)
    print(f"best possible {best(test).quality:.3f}; {BEST_SINGLE.name} alone loses {single_loss(test):.3f}")
    for world in WORLDS:
        runs = [run(world, number, seed, embedding, test) for seed in range(seeds)]
        print(f"  {number} judged prompts, {seeds} seeds:")
        for name in runs[0]:
            values = np.array([one[name] for one in runs])
            print(
                f"    {name:<40} {values.mean():.4f} ± {values.std(ddof=1) / math.sqrt(seeds):.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200, int(sys.argv[2]) if len(sys.argv) > 2 else 10)
