"""The dispatch chunks that this process holds, and the report of each once its calls have ended."""

from __future__ import annotations

import time
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
    #: calls that failed, and requests that ended or were lost without a call, by the code of the error
    errors: Counter[str] = field(default_factory=Counter)
    uncalled: Counter[str] = field(default_factory=Counter)
    accepted_at: float = field(default_factory=time.monotonic)
    #: the span that made its chunk; None without tracing
    trace: str | None = None

    def count(self, settlement: Settlement) -> None:
        """Count a call or the end of a request without one, and the code of the error if there is one."""
        result = settlement.next.error_code if isinstance(settlement.next, RequestResult) else None
        code = settlement.error_code or result
        if settlement.number:
            self.calls += 1
        if code:
            (self.errors if settlement.number else self.uncalled)[code] += 1

    @property
    def runtime_s(self) -> float:
        """The seconds since the group was accepted: those of its calls, once it has ended."""
        return time.monotonic() - self.accepted_at

    def failure(self) -> str | None:
        """Return what went wrong, in counts and codes only; None when nothing did."""
        parts = []
        if self.errors:
            parts.append(f"{self.errors.total()} of {self.calls} calls failed: {_counts(self.errors)}")
        if self.uncalled:
            parts.append(f"{self.uncalled.total()} requests without an answer: {_counts(self.uncalled)}")
        return "; ".join(parts) or None


def _counts(errors: Counter[str]) -> str:
    return ", ".join(f"{code} x{number}" for code, number in sorted(errors.items()))


class HeldGroups:
    """All groups of the process; `on_end` is called with each one that has no open request left."""

    def __init__(self, on_end: Callable[[HeldGroup], None]) -> None:
        self._on_end = on_end
        self._by_chunk: dict[int, HeldGroup] = {}

    def __len__(self) -> int:
        return len(self._by_chunk)

    def __contains__(self, chunk_id: int) -> bool:
        return chunk_id in self._by_chunk

    @property
    def chunk_ids(self) -> list[int]:
        """The chunks whose leases must be kept alive."""
        return list(self._by_chunk)

    def trace(self, chunk_id: int) -> str | None:
        """Return the span that made a chunk; None without tracing."""
        group = self._by_chunk.get(chunk_id)
        return group.trace if group else None

    def add(self, group: HeldGroup) -> None:
        """Add a group; an empty one ends at once."""
        self._by_chunk[group.chunk_id] = group
        self._end_if_empty(group)

    def settled(self, settlement: Settlement) -> None:
        """Count the call of a settlement that was written, and close its request."""
        group = self._by_chunk.get(settlement.chunk_id)
        if group is None:
            return
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
                group.uncalled["lease_lost"] += len(group.open)
                self._close(group, set(group.open))

    def _close(self, group: HeldGroup, request_ids: set[int]) -> None:
        group.open -= request_ids
        self._end_if_empty(group)

    def _end_if_empty(self, group: HeldGroup) -> None:
        if not group.open:
            self._by_chunk.pop(group.chunk_id, None)
            self._on_end(group)
