"""The Celery stages, the store of record, and the calls to providers."""
