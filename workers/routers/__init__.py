"""Routers in this process: routing, training, retraining, off-policy evaluation and promotion."""
