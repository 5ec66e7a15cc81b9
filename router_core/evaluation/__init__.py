"""Evaluation of a router on held-out labelled prompts, beside baselines that need no router."""

from router_core.evaluation.evaluate import cross_validate, evaluate
from router_core.evaluation.result import Evaluation
from router_core.evaluation.strategy_results import StrategyResult

__all__ = ["Evaluation", "StrategyResult", "cross_validate", "evaluate"]
