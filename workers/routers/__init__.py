"""Routers in this process: local routing, training, retraining and promotion."""
