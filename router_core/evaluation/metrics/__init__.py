"""The metrics of an evaluation: pure functions of outcomes and choices."""
