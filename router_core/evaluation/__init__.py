"""Evaluation: what a router reaches on prompts that it has not learnt from, next to what needs no router."""

from router_core.evaluation.evaluate import cross_validate, evaluate
from router_core.evaluation.result import Evaluation
from router_core.evaluation.strategy_results import StrategyResult

__all__ = ["Evaluation", "StrategyResult", "cross_validate", "evaluate"]
