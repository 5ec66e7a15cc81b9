"""The lines of a batch by how they ended: one way of counting for the API, the command and the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FAILED = ("failed", "cancelled", "invalid")


def line_counts(counters: Mapping[Any, Any], prefix: str = "") -> dict[str, int]:
    """Return `total`, `completed` and `failed` lines, of which `failed` are those of the error file.

    A bad line is one of the total and has failed, as has a request that was cancelled or has expired.

    Args:
        counters: The counters of a batch; a missing one may be None.
        prefix: What stands before their names.
    """
    failed = {name: counters[prefix + name] or 0 for name in _FAILED}
    return {
        "total": (counters[f"{prefix}total"] or 0) + failed["invalid"],
        "completed": counters[f"{prefix}succeeded"] or 0,
        "failed": sum(failed.values()),
    }
