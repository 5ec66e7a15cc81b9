"""The verdict of an evaluation: one sentence, which does not praise what is worse or not shown."""

from __future__ import annotations

from math import nan

import pytest

from router_core.evaluation.metrics.bootstrap import EstimateWithError
from router_core.evaluation.strategy_results import StrategyResult
from router_core.evaluation.verdict import verdict

Estimate = EstimateWithError


def _result(
    name: str,
    *,
    quality: tuple[float, float] = (0.7, 0.01),
    gain: tuple[float, float] = (0.0, 0.0),
    cost: float = 1.0,
    ratio: tuple[float, float] = (1.0, 0.0),
    model: str = "large",
) -> StrategyResult:
    unknown = Estimate(nan, nan)
    return StrategyResult(
        name=name, prompts=500, quality=Estimate(*quality), gain=Estimate(*gain), headroom=unknown,
        strict_top1=unknown, best_set_top1=unknown, cost=Estimate(cost, 0.0), relative_cost=Estimate(*ratio),
        fallback_share=0.0, model_shares={"large": 0.0, "small": 0.0, "mixed": 0.0, model: 1.0}, win_rates={},
    )  # fmt: skip


SINGLE = _result("best single")
CHEAPEST = _result("cheapest", quality=(0.5, 0.01), cost=0.1, model="small")


def _verdict(
    router: StrategyResult, cheapest: StrategyResult = CHEAPEST, unfamiliar: float | None = None
) -> str:
    results = {one.name: one for one in (SINGLE, cheapest, router)}
    return verdict("saving", results, unfamiliar=unfamiliar)


@pytest.mark.parametrize(
    ("gain", "ratio", "says"),
    [
        (
            (0.05, 0.01),
            (0.4, 0.02),
            "is better by 0.0500 ± 0.0100 on 500 prompts than always taking large, at 40% of its cost.",
        ),
        (
            (-0.05, 0.01),
            (1.25, 0.02),
            "is worse by 0.0500 ± 0.0100 on 500 prompts than always taking large, at 1.25 times its cost.",
        ),
        (
            (0.01, 0.01),
            (0.8, 0.02),
            "is not shown to be better or worse (+0.0100 ± 0.0100 on 500 prompts) "
            "than always taking large, at 80% of its cost.",
        ),
        ((0.05, 0.01), (1.02, 0.02), "than always taking large, at about the same cost."),
        ((0.05, 0.01), (nan, nan), "than always taking large, at a cost that is not known."),
    ],
)
def test_quality_and_cost_are_compared_with_the_best_single_model(
    gain: tuple[float, float], ratio: tuple[float, float], says: str
) -> None:
    assert _verdict(_result("router: saving", gain=gain, ratio=ratio, model="mixed")).endswith(says)


def test_a_router_that_the_cheapest_model_beats_is_called_worse_and_dearer() -> None:
    cheapest = _result("cheapest", quality=(0.8, 0.01), cost=0.1, model="small")
    router = _result("router: saving", quality=(0.6, 0.01), gain=(-0.1, 0.01), cost=0.9, model="mixed")
    assert _verdict(router, cheapest) == (
        "This router (policy saving) is worse and dearer than always taking small, the cheapest model."
    )
    close = _result("cheapest", quality=(0.61, 0.01), cost=0.1, model="small")
    assert "cheapest" not in _verdict(router, close)


def test_a_router_that_never_leaves_the_best_single_model_gains_nothing() -> None:
    assert "sends every prompt to large, the best single model: it gains nothing" in _verdict(
        _result("router: saving")
    )


def test_without_scores_of_what_it_chooses_nothing_is_claimed() -> None:
    assert "too few scores are known" in _verdict(_result("router: saving", gain=(nan, nan)))


@pytest.mark.parametrize(
    ("share", "says"),
    [
        (None, "of its cost."),
        (0.1, "of its cost."),
        (0.3, "; about 30% of these prompts (estimated) are unlike its labels."),
        (1.0, "; about 100% of these prompts (estimated) are unlike its labels."),
    ],
)
def test_prompts_of_new_tasks_are_said(share: float | None, says: str) -> None:
    router = _result("router: saving", gain=(0.05, 0.01), ratio=(0.4, 0.02), model="mixed")
    assert _verdict(router, unfamiliar=share).endswith(says)
