"""The worker process: one role of the pipeline, run by Celery or, for upkeep, alone."""
