"""The dispatch chunks that this process holds, and the report of each once its calls have ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tasks.store.values import HeldRequest, RequestResult, Settlement


@dataclass(slots=True)
class HeldGroup:
    """One accepted chunk: its open requests, and the errors of its calls so far."""

    chunk_id: int
    task_id: str
    hostname: str
    open: set[int]
    calls: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def count(self, settlement: Settlement) -> None:
        """Count a call, and the code of its error if it failed."""
        self.calls += 1
        result = settlement.next.error_code if isinstance(settlement.next, RequestResult) else None
        if code := settlement.error_code or result:
            self.errors[code] += 1

    def summary(self) -> str | None:
        """Return what went wrong, in counts and codes only; None when nothing did."""
        if not self.errors:
            return None
        counts = ", ".join(f"{code} x{number}" for code, number in sorted(self.errors.items()))
        return f"{sum(self.errors.values())} of {self.calls} calls failed: {counts}"


class HeldGroups:
    """All groups of the process; `on_end` is called with each one that has no open request left."""

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
        """Add a group; an empty one ends at once."""
        self._by_chunk[group.chunk_id] = group
        self._end_if_empty(group)

    def settled(self, settlement: Settlement) -> None:
        """Count the call of a settlement that was written, and close its request."""
        group = self._by_chunk.get(settlement.chunk_id)
        if group is None:
            return
        if settlement.number:
            group.count(settlement)
        self._close(group, {settlement.request_id})

    def forget(self, requests: Iterable[HeldRequest]) -> None:
        """Close requests that are no longer held by this process, without counting a call."""
        for request in requests:
            if (group := self._by_chunk.get(request.chunk_id)) is not None:
                self._close(group, {request.id})

    def lease_lost(self, chunk_ids: Iterable[int]) -> None:
        """Close groups that were taken away because their leases had run out."""
        for chunk_id in chunk_ids:
            if (group := self._by_chunk.get(chunk_id)) is not None:
                group.errors["lease_lost"] += len(group.open)
                self._close(group, set(group.open))

    def _close(self, group: HeldGroup, request_ids: set[int]) -> None:
        group.open -= request_ids
        self._end_if_empty(group)

    def _end_if_empty(self, group: HeldGroup) -> None:
        if not group.open:
            self._by_chunk.pop(group.chunk_id, None)
            self._on_end(group)
