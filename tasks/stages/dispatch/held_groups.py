"""Groups: the chunks this process holds, and what their Celery tasks report when the last call has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tasks.store.values import RequestResult, Settlement


@dataclass(slots=True)
class HeldGroup:
    """One accepted chunk: the requests still open and the failures so far."""

    chunk_id: int
    task_id: str
    hostname: str
    open: set[int]
    calls: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def summary(self) -> str | None:
        """Return what went wrong, in counts and codes only; None when nothing did."""
        if not self.errors:
            return None
        counts = ", ".join(f"{code} x{number}" for code, number in sorted(self.errors.items()))
        return f"{sum(self.errors.values())} of {self.calls} calls failed: {counts}"


class HeldGroups:
    """All groups of the process; `on_end` hears of each one that has no open request left."""

    def __init__(self, on_end: Callable[[HeldGroup], None]) -> None:
        self._on_end = on_end
        self._by_chunk: dict[int, HeldGroup] = {}

    def __len__(self) -> int:
        return len(self._by_chunk)

    @property
    def chunk_ids(self) -> list[int]:
        """The chunks whose leases must be kept alive."""
        return list(self._by_chunk)

    def add(self, group: HeldGroup) -> None:
        """Start following a group; an empty one ends at once."""
        self._by_chunk[group.chunk_id] = group
        self._end_if_empty(group)

    def settled(self, chunk_id: int, settlement: Settlement) -> None:
        """One of its calls has been settled."""
        group = self._by_chunk.get(chunk_id)
        if group is None:
            return
        group.calls += 1
        if settlement.error_code is not None:
            group.errors[settlement.error_code] += 1
        elif isinstance(settlement.next, RequestResult) and settlement.next.error_code:
            group.errors[settlement.next.error_code] += 1
        self.dropped(chunk_id, [settlement.request_id])

    def dropped(self, chunk_id: int, request_ids: Iterable[int]) -> None:
        """These requests are no longer this process's concern."""
        group = self._by_chunk.get(chunk_id)
        if group is not None:
            group.open.difference_update(request_ids)
            self._end_if_empty(group)

    def forget(self, chunk_ids: Iterable[int]) -> None:
        """These chunks were taken away: their leases had run out."""
        for chunk_id in chunk_ids:
            group = self._by_chunk.get(chunk_id)
            if group is not None:
                group.errors["lease_lost"] += len(group.open)
                self.dropped(chunk_id, list(group.open))

    def _end_if_empty(self, group: HeldGroup) -> None:
        if not group.open:
            self._by_chunk.pop(group.chunk_id, None)
            self._on_end(group)
