"""The priorities of batches: what share of the workers and models each gets beside others."""

from __future__ import annotations

from tasks.errors import UsageError

NORMAL = "normal"
#: a batch gets so many times the share of another
WEIGHTS = {"low": 1.0, NORMAL: 4.0, "high": 16.0}


def checked(priority: str) -> str:
    """Return the priority; raises UsageError where there is no such one."""
    if priority not in WEIGHTS:
        raise UsageError(f"no priority {priority!r} among {', '.join(WEIGHTS)}")
    return priority


def weight_of(priority: str | None) -> float:
    """Return the weight of a stored priority; one that a newer Waybill stored counts as normal."""
    return WEIGHTS.get(priority or NORMAL, WEIGHTS[NORMAL])
