"""Screens about routers and judges at 80 and 120 columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Group

from router_core.evaluation.best_constant import BestConstant
from router_core.evaluation.knn_comparison import KnnComparison
from router_core.evaluation.metrics.bootstrap import EstimateWithError
from router_core.evaluation.paired_comparison import Comparison, Difference
from router_core.evaluation.result import DataSummary, Evaluation, RouterSummary
from router_core.evaluation.strategy_results import StrategyResult
from router_core.hyperparameters import Hyperparameters
from router_core.judging.agreement import PreferenceBias, Proportion
from router_core.judging.judge_quality import JudgeQuality, QualityReport
from tests.support.screens import assert_screen
from workers.views.evaluation import evaluation_view
from workers.views.judges import judges_view
from workers.views.training import comparison_lines, training_lines

MODEL = "claude-3-5-sonnet"
NOTE = "saving: +0.0200 ± 0.0030 on prompts like the labels, +0.0100 ± 0.0040 on kinds left out"


def _strategy(name: str) -> StrategyResult:
    value = EstimateWithError(0.7904, 0.0245)
    return StrategyResult(
        name=name,
        prompts=5_608,
        quality=value,
        gain=value,
        headroom=EstimateWithError(-2.22, 0.75),
        strict_top1=value,
        best_set_top1=value,
        cost=EstimateWithError(1_920.0, 0.1),
        relative_cost=EstimateWithError(0.404, 0.05),
        fallback_share=0.0,
        model_shares={MODEL: 1.0},
        win_rates={},
    )


def _evaluation() -> Evaluation:
    names = (
        "best single",
        "best single (in hindsight)",
        "cheapest",
        "kNN",
        "router: quality",
        "router: saving",
        "best constant: saving",
        "oracle",
    )
    return Evaluation(
        data=DataSummary(5_608, 5_608, 0, False, 0, 0, 0, 0),
        router=RouterSummary("2bc1da5b8c9d", (MODEL,), MODEL, 0.0, (), (NOTE,)),
        strategies=tuple(map(_strategy, names)),
        by_category={},
        curves={},
        two_models={},
        thresholds=(),
        gaps=(),
        score_calibration=cast("Any", None),
        pairwise_calibration=cast("Any", None),
        confusion=None,
        seed=0,
        knn=(
            KnnComparison("quality", EstimateWithError(-0.0142, 0.006)),
            KnnComparison("saving", EstimateWithError(0.01, 0.004)),
        ),
        best_constants=(BestConstant("saving", {MODEL: 1.0}, EstimateWithError(-0.01, 0.004)),),
        verdicts={"quality": "The verdict on quality.", "saving": "The verdict on saving."},
        trades=tuple(map(_strategy, ("--quality-floor 0", "--quality-floor 0.02", "--cost-weight 0.1"))),
    )


def test_an_evaluation_begins_with_the_verdict_and_has_a_table_for_people() -> None:
    assert_screen("evaluate", evaluation_view(_evaluation(), "saving"))


@pytest.mark.parametrize(
    ("policy", "chosen"), [("saving", "saving"), ("quality", "quality"), ("budget", "quality")]
)
def test_the_verdict_is_on_the_policy_of_the_settings(policy: str, chosen: str) -> None:
    view = evaluation_view(_evaluation(), policy)
    assert isinstance(view, Group)
    assert str(view.renderables[0]) == f"The verdict on {chosen}."


def _router(prompts: int, margin: float | None, *, tau: float = 0.0) -> Any:
    """What the lines read of a router."""
    margins = dict.fromkeys(("quality", "saving"), margin)
    trial = {"setting": 0.04, "gain": 0.1128, "standard_error": 0.02, "cost": 0.00086}
    training = {"prompts": prompts, "rows": 2 * prompts, "trials": {"saving": [trial], "quality": []}}
    return SimpleNamespace(
        version="2bc1da5b8c9d",
        models=("small", "large"),
        best_single="large",
        training=training,
        hyperparameters=Hyperparameters((1.0,), tau, margins, 1.0, 1.0),
    )


def _lines(router: Any, *, is_stored: bool = False, **options: Any) -> str:
    return "\n".join(training_lines(router, "saving", Path("router"), is_stored=is_stored, **options))


def test_models_of_the_labels_that_the_settings_lack_are_named() -> None:
    router = _router(240, 0.04)
    assert "unknown     small: not in [[models]]" in _lines(router, configured=("large", "other"))
    for configured in ((), ("small", "large", "other")):
        assert "not in [[models]]" not in _lines(router, configured=configured)


def test_costs_that_are_ranks_are_not_shown_as_dollars() -> None:
    router = _router(240, 0.04)
    router.training["curves"] = {"costs_in_dollars": False}
    assert "not known: not all models have costs" in _lines(router)


def test_a_training_ends_with_what_the_router_gains_and_what_to_do_with_it() -> None:
    text = _lines(_router(240, 0.04, tau=0.03))
    assert "router 2bc1da5b8c9d: 2 models, 240 prompts" in text
    assert "large, the best single model" in text
    assert "+0.1128 ± 0.0200 over always large" in text
    assert "$0.860 per 1,000 prompts" in text
    assert "0.03: where two predictions are closer" in text
    assert "prompts leave large for a model that is predicted to be better by at least 0.04" in text
    assert "waybill evaluate HELD_OUT --router router" in text


def test_a_guarded_router_s_gain_is_that_with_the_guard_and_names_the_one_without() -> None:
    router = _router(240, 0.04)
    guarded, unguarded = (
        {"gain": gain, "standard_error": 0.004, "cost": 0.0005} for gain in (0.0207, 0.0254)
    )
    left_out = {"gain": 0.0, "standard_error": 0.001}
    router.training["shift"] = {
        "guard": {"saving": {"familiar": guarded, "left_out": left_out}},
        "none": {"saving": {"familiar": unguarded, "left_out": left_out}},
    }
    router.training["curves"] = {"single_models": {"large": {"cost": 0.002}}}
    text = _lines(router)
    assert (
        "gain        +0.0207 ± 0.0040 over always large (policy saving with the shift guard, cross-validated "
        "on these prompts; without the guard +0.0254 ± 0.0040)"
    ) in text
    assert "$0.500 per 1,000 prompts, always large $2.000" in text
    assert "saving: gain +0.0207 ± 0.0040 on prompts like the labels" in text
    assert "240 prompts in 480 rows" in text


def test_the_counts_of_a_comparison_add_up() -> None:
    one = Difference(
        prompts=97, gain=0.01, standard_error=0.02, interval=(-0.03, 0.05), champion_score=0.7,
        challenger_score=0.71, champion_cost=0.002, challenger_cost=0.001,
    )  # fmt: skip
    of_category = replace(one, prompts=42)
    found = Comparison(overall=one, by_category={"coding": of_category}, unscored=3)
    assert list(comparison_lines(found, "champion v1", "saving", held_out=112, known=2)) == [
        "against champion v1 (policy saving): +0.0100 ± 0.0200 on 97 held-out prompts in 107 rows",
        "  cost: $1.000 per 1,000, champion v1 $2.000",
        "  left out: 2 rows of prompts that the champion has learnt from",
        "  left out: 3 rows without a score of a model that was chosen",
        "  coding: +0.0100 ± 0.0200 on 42",
        "  55 prompts have no category in the labels",
    ]


def test_a_router_of_the_store_is_promoted_by_its_version() -> None:
    assert "waybill promote 2bc1da5b8c9d --if-better" in _lines(_router(240, 0.04), is_stored=True)


def test_a_router_that_nothing_was_compared_with_is_not_sent_to_a_comparison() -> None:
    text = _lines(_router(240, 0.04), is_stored=True, is_compared=False)
    assert "--if-better" not in text
    assert "waybill collect" in text


@pytest.mark.parametrize(
    ("prompts", "why", "advice"),
    [
        (40, "as always below 80 labelled prompts", "label more prompts: 200 are often enough, 40 are there"),
        (120, "no other choice gained for sure", "label more prompts: 200 are often enough, 120 are there"),
        (900, "no other choice gained for sure", "use large for all, or label more prompts"),
    ],
)
def test_where_no_deviation_is_significant_it_is_said_why_and_what_would_help(
    prompts: int, why: str, advice: str
) -> None:
    text = _lines(_router(prompts, None))
    assert why in text
    assert "every prompt goes to large" in text
    assert advice in text
    assert "promote" not in text


def test_the_quality_of_judges_has_a_legend() -> None:
    known = Proportion(30, 200)
    bias = PreferenceBias(0.55, 0.5, 0.02, 200)
    unknown = PreferenceBias(None, None, None, 0)
    judges = (
        JudgeQuality(
            judge="gpt-4o-mini-judge",
            pairs=120_000,
            invalid_replies=known,
            order_flips=known,
            flips_to_first=known,
            length_bias=bias,
            agreement=known,
            self_preference=bias,
            human_agreement=known,
            mean_kappa=0.61,
        ),
        JudgeQuality(
            judge="small",
            pairs=3,
            invalid_replies=known,
            order_flips=known,
            flips_to_first=known,
            length_bias=unknown,
            agreement=Proportion(0, 0),
            self_preference=unknown,
            human_agreement=Proportion(0, 0),
            mean_kappa=None,
        ),
    )
    assert_screen("labels-quality", judges_view(QualityReport(judges, 120_003, 0.5)))
