"""Comparisons whose failure shows both sides, with names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: what a batch's row counts: shown whole when one of it is wrong
BATCH_FIELDS = (
    "status", "total", "invalid", "duplicates", "succeeded", "failed", "cancelled",
    "calls", "budget", "spent", "reserved", "budget_stops",
)  # fmt: skip


def fields(found: object, *names: str) -> dict[str, Any]:
    """Return these keys of a mapping, or these attributes of another object."""
    if isinstance(found, Mapping):
        return {name: found[name] for name in names}
    return {name: getattr(found, name) for name in names}


def assert_fields(found: object, **expected: object) -> None:
    """Check some keys of a mapping, or some attributes of another object."""
    assert fields(found, *expected) == expected


def assert_batch(batch: object, **expected: object) -> None:
    """Check some fields of a batch's row or progress; a failure also shows all that the batch counts."""
    if fields(batch, *expected) != expected:
        counts = fields(batch, *BATCH_FIELDS)
        assert fields(batch, *expected) == expected, f"the batch: {counts}"
