"""The simulator's models and judges in this process: answers, verdicts, labels, and what is true of them.

The texts and verdicts are the simulator's own (`write_answer`, `write_verdict`); everything from the order of
the pairs to the trained router is the product's. Only the way through queue and store is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random

import numpy as np
from numpy.typing import NDArray

from router_core.data.categories import read_sample
from router_core.data.labelled_prompts import LabelledPrompt
from router_core.decisions import Decisions
from router_core.embedding.embedder import Embedder
from router_core.embedding.static_encoder import static_files
from router_core.judging.reply import parse_verdict
from router_core.judging.scores import mean_pair_scores, prompt_scores
from router_core.judging.tournament import all_pairs, next_pair
from router_core.judging.verdicts import Judgement, Pair, Verdict
from router_core.judging.win_rates import VerdictCount, WinRates
from router_core.policy.preferences import Policy
from router_core.pricing import expected_costs
from router_core.router import Router
from router_core.training.train import train
from tasks.settings import STATIC, ModelSettings
from workers.demo.data.prompts import write_prompts
from workers.routers.embedders import static_folder
from workers.simulator import JudgeProfile, default_config
from workers.simulator.answers import write_answer
from workers.simulator.categories import guess_category
from workers.simulator.judge import JudgePrompt, write_verdict
from workers.simulator.truth import cost_of, strength_at

Array = NDArray[np.float32]
Values = Mapping[int | str, Mapping[Pair, float]]

MODELS = {model.name: model for model in default_config().models}
NAMES = tuple(sorted(MODELS))
SETTINGS = [
    ModelSettings(
        name=name,
        litellm=f"openai/{name}",
        input_price=MODELS[name].input_price,
        output_price=MODELS[name].output_price,
    )
    for name in NAMES
]
#: three judges as `waybill up --simulate` has them
HONEST = dict.fromkeys(("sim-nano", "sim-coder", "sim-writer"), JudgeProfile())


@dataclass(frozen=True)
class Prompts:
    """Texts with their vectors [n, d], the documented strengths [n, m] and mean costs in dollars [n, m]."""

    texts: Sequence[str]
    vectors: Array
    strengths: NDArray[np.float64]
    costs: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int]) -> Prompts:
        """Return some of them."""
        at = np.array(rows, dtype=np.int64)
        return Prompts(
            [self.texts[row] for row in rows], self.vectors[at], self.strengths[at], self.costs[at]
        )


@dataclass(frozen=True)
class Embedding:
    """The static embedding, and the vectors of the built-in sample."""

    embedder: Embedder
    sample: Array = field(repr=False)

    @classmethod
    def load(cls) -> Embedding:
        """Load the one that `waybill train` takes; distilled if it is not there yet."""
        embedder = Embedder.from_files(STATIC, static_files(static_folder(print)))
        return cls(embedder, embedder.encode([row.prompt for row in read_sample()]))

    def prompts(self, seed: int, number: int) -> Prompts:
        """Prompts of the demo's templates with what the simulator's documentation says of them."""
        texts = [prompt.text for prompt in islice(write_prompts(seed), number)]
        known = [[_truth(name, text) for name in NAMES] for text in texts]
        truth = np.array(known, dtype=np.float64)
        return Prompts(texts, self.embedder.encode(texts), truth[:, :, 0], truth[:, :, 1])

    def train(self, prompts: Prompts, labels: Mapping[int, Mapping[str, float]], *, seed: int = 0) -> Router:
        """Train as `waybill train --from-store` does, on prompts that no router has given a category."""
        rows = [
            LabelledPrompt(str(row), prompts.texts[row], None, None, found,
                           dict(zip(NAMES, prompts.costs[row].tolist(), strict=True)))
            for row, found in labels.items()
        ]  # fmt: skip
        return train(
            rows, prompts.vectors[list(labels)], embedder_id=STATIC,
            embedder_fingerprint=self.embedder.fingerprint, sample_vectors=self.sample, seed=seed,
        )  # fmt: skip


@dataclass(frozen=True)
class Reached:
    """Mean documented strength and cost (dollars) of the chosen models."""

    quality: float
    cost: float

    @classmethod
    def by(cls, prompts: Prompts, choice: NDArray[np.int64] | int) -> Reached:
        """What choosing these columns reaches."""
        rows = np.arange(len(prompts))
        return cls(float(prompts.strengths[rows, choice].mean()), float(prompts.costs[rows, choice].mean()))


def routed(router: Router, prompts: Prompts, policy: Policy = "saving") -> Reached:
    """What the router reaches on prompts, prices known as the settings tell them."""
    return Reached.by(prompts, decisions(router, prompts, policy).choice)


def decisions(router: Router, prompts: Prompts, policy: Policy = "saving") -> Decisions:
    """The router's decisions, columns in the order of NAMES."""
    costs = expected_costs(
        [len(text) for text in prompts.texts],
        [model.price for model in SETTINGS],
        output_tokens=np.array([[float(model.expected_tokens) for model in SETTINGS]]),
    )
    return router.route(prompts.vectors, prompts.texts, models=NAMES, costs=costs, policy=policy)


def best(prompts: Prompts) -> Reached:
    """What is reached by who knows the documented strengths: nothing the features say can do better."""
    return Reached.by(prompts, prompts.strengths.argmax(axis=1))


def _truth(name: str, text: str) -> tuple[float, float]:
    return strength_at(MODELS[name], text), cost_of(MODELS[name], text)


LengthOf = Callable[[str, str], float]


def usual_length(model: str, category: str) -> float:
    """Tokens of an answer as the simulator documents them."""
    return MODELS[model].output_tokens[category]


def answers_to(text: str, random: Random, length_of: LengthOf = usual_length) -> dict[str, str]:
    """One answer of each model, as the simulator writes them."""
    category = guess_category(text)
    return {
        name: write_answer(
            text,
            category=category,
            good=random.random() < MODELS[name].strengths[category],
            tokens=round(length_of(name, category) * math.exp(0.3 * random.gauss(0, 1))),
            random=random,
        )
        for name in NAMES
    }


class Bench:
    """Judges at their bench: they compare answers, prompt after prompt, as a run of `waybill judge` does."""

    def __init__(
        self, judges: Mapping[str, JudgeProfile], random: Random, *, every_pair: bool = False
    ) -> None:
        self._judges, self._random, self._every_pair = judges, random, every_pair
        self._tallies: list[VerdictCount] = []
        self.judgements: list[Judgement] = []

    def judge(self, row: int, text: str, answers: Mapping[str, str]) -> None:
        """Compare the answers to one prompt until its winner is settled."""
        mine: list[Judgement] = []
        # Settled by what earlier prompts say of the models; no router has given the prompts a category.
        strengths = WinRates(self._tallies).expected_for(NAMES, None)
        pairs = iter(all_pairs(NAMES))
        while True:
            values = mean_pair_scores(mine).get(row, {})
            asked = {one.pair: values.get(one.pair, 0.5) for one in mine}
            pair = (
                next(pairs, None)
                if self._every_pair
                else next_pair(NAMES, asked, win_rates=strengths, salt=str(row))
            )
            if pair is None:
                break
            mine += [self._judged(row, text, name, pair, answers) for name in self._judges]
        self.judgements += mine

    def labels(self, value_of: Callable[[Sequence[Judgement]], Values]) -> dict[int, dict[str, float]]:
        """Scores of each judged prompt's models, by `robust_values` or `mean_values`."""
        return {int(row): prompt_scores(values) for row, values in value_of(self.judgements).items()}

    def _judged(self, row: int, text: str, name: str, pair: Pair, answers: Mapping[str, str]) -> Judgement:
        forward, backward = (self._said(text, name, order, answers) for order in (pair, pair[::-1]))
        sides = len(answers[pair[0]]) - len(answers[pair[1]])
        return Judgement(row, name, pair, forward, backward, (sides > 0) - (sides < 0))

    def _said(self, text: str, name: str, order: Pair, answers: Mapping[str, str]) -> Verdict:
        prompt = JudgePrompt(text, answers[order[0]], answers[order[1]], "")
        verdict = parse_verdict(write_verdict(prompt, self._judges[name], self._random))
        self._tallies.append(VerdictCount(None, *order, verdict, 1))
        return verdict
