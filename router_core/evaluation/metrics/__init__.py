"""Evaluation metrics: pure functions of outcomes, choices and predictions."""
