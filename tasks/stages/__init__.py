"""The stages that Celery runs: embed, route and dispatch."""
