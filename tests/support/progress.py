"""The progress of a batch that is done, to be changed by `dataclasses.replace`."""

from tasks.store.batch_progress import Progress

DONE = Progress(
    batch_no=1, batch_id="batch_1", source="file", status="completed", route_only=False, total=10, invalid=0,
    duplicates=0, embedded=10, cache_hits=0, routed=10, fallbacks=0, succeeded=10, failed=0, cancelled=0,
    in_flight=0, calls=10, budget=None, spent=2_000_000, reserved=0, budget_stops=0, invalid_answers=0,
    repaired=0, asked_again=0, created_at=0, finished_at=5000, elapsed_s=5.0,
)  # fmt: skip
