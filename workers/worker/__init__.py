"""The worker process: it runs one role of the pipeline, under Celery or, for upkeep, without it."""
