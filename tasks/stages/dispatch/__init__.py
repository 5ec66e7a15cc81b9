"""The dispatch stage: one event loop per worker process, with hundreds of calls in flight."""
