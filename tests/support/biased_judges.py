"""Simulated judges with known faults, and answers of known quality for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from random import Random

from router_core.judging.verdicts import Judgement, Verdict

STRENGTHS = {"large": 0.90, "coder": 0.80, "nano": 0.45, "writer": 0.42}
LENGTHS = {"large": 140, "coder": 110, "nano": 70, "writer": 80}
_OTHER = {Verdict.FIRST: Verdict.SECOND, Verdict.SECOND: Verdict.FIRST}


@dataclass(frozen=True)
class Answer:
    model: str
    good: bool
    length: float


Judge = Callable[[Random, Answer, Answer], Verdict]


def honest(random: Random, first: Answer, second: Answer) -> Verdict:
    """Prefer the better answer; of 100 verdicts, 8 are random."""
    if random.random() < 0.08:
        return random.choice([Verdict.FIRST, Verdict.SECOND, Verdict.TIE])
    if first.good == second.good:
        return Verdict.TIE
    return Verdict.FIRST if first.good else Verdict.SECOND


def likes_the_first(random: Random, first: Answer, second: Answer) -> Verdict:
    return Verdict.FIRST if random.random() < 0.3 else honest(random, first, second)


def likes_length(random: Random, first: Answer, second: Answer) -> Verdict:
    longer = Verdict.FIRST if first.length > second.length else Verdict.SECOND
    return longer if random.random() < 0.5 else honest(random, first, second)


def garbled(random: Random, first: Answer, second: Answer) -> Verdict:
    return Verdict.NONE if random.random() < 0.2 else honest(random, first, second)


def always_wrong(random: Random, first: Answer, second: Answer) -> Verdict:
    verdict = honest(random, first, second)
    return _OTHER.get(verdict, verdict)


def likes_large(random: Random, first: Answer, second: Answer) -> Verdict:
    own = [answer.model == "large" for answer in (first, second)]
    if any(own) and random.random() < 0.7:
        return Verdict.FIRST if own[0] else Verdict.SECOND
    return honest(random, first, second)


def judged(prompts: int, judges: Mapping[str, Judge], *, seed: int = 0) -> list[Judgement]:
    """Return the judgements of these judges on all pairs of four answers to each prompt."""
    random, judgements = Random(seed + 1), []
    for prompt, answers in enumerate(answered(prompts, seed=seed)):
        for one, other in combinations(answers, 2):
            longer = 1 if one.length > other.length else -1
            for name, judge in judges.items():
                verdicts = judge(random, one, other), judge(random, other, one)
                judgements.append(Judgement(prompt, name, (one.model, other.model), *verdicts, longer))
    return judgements


def answered(prompts: int, *, seed: int = 0) -> list[list[Answer]]:
    """Return the answers of four models to each prompt."""
    random = Random(seed)
    return [[_answer(model, random) for model in sorted(STRENGTHS)] for _ in range(prompts)]


def _answer(model: str, random: Random) -> Answer:
    length = LENGTHS[model] * math.exp(0.3 * random.gauss(0, 1))
    return Answer(model, random.random() < STRENGTHS[model], length)
