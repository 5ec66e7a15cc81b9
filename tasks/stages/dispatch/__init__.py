"""The dispatch stage: one event loop per worker process, hundreds of calls in flight."""
