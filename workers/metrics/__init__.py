"""`/metrics` for Prometheus: one collector over the store and Redis."""
