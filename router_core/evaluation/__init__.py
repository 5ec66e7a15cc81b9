"""Evaluation: what a router reaches on prompts that it has not learnt from, next to what needs no router."""

from router_core.evaluation.evaluating import cross_validate, evaluate
from router_core.evaluation.lines import Line
from router_core.evaluation.result import Evaluation

__all__ = ["Evaluation", "Line", "cross_validate", "evaluate"]
