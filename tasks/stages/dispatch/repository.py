"""The store as a dispatcher uses it: each method is one transaction, to be run in a thread."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.stages.dispatch.call_history import CallHistory
from tasks.store import chunks, decisions, ledger, paused_models
from tasks.store.engine import Store
from tasks.store.values import HeldRequest, ReservationRequest, ReservationResult


class DispatchRepository:
    """Reads and writes for one worker process; `owner` is its name in the store."""

    def __init__(self, store: Store, owner: str) -> None:
        self._store = store
        self._owner = owner

    def reserve(self, batch_no: int, asked: Sequence[ReservationRequest]) -> ReservationResult:
        """Reserve money for calls of one batch."""
        with self._store.write() as connection:
            return ledger.reserve(connection, batch_no, asked, owner=self._owner)

    def histories(self, request_ids: Sequence[int]) -> dict[int, CallHistory]:
        """Return the calls of each request so far, and the router's ranking."""
        with self._store.read() as connection:
            rankings = decisions.rankings(connection, request_ids)
            calls = ledger.calls_of(connection, request_ids)
        return {i: CallHistory(calls[i], rankings.get(i, ())) for i in request_ids}

    def pause(self, model: str, reason: str, seconds: float) -> None:
        """Record that a model is paused."""
        with self._store.write() as connection:
            paused_models.pause(connection, model, reason=reason, seconds=seconds)

    def resume(self, model: str) -> None:
        """Record that a model is called again."""
        with self._store.write() as connection:
            paused_models.resume(connection, model)

    def extend(self, chunk_ids: Sequence[int], lease_s: float) -> set[int]:
        """Renew leases; returns the chunks that are still held."""
        with self._store.write() as connection:
            return chunks.extend(connection, chunk_ids, owner=self._owner, lease_s=lease_s)

    def hand_back(self, requests: Sequence[HeldRequest]) -> None:
        """Free requests that were not sent."""
        for batch_no in {request.batch_no for request in requests}:
            ids = [request.id for request in requests if request.batch_no == batch_no]
            with self._store.write() as connection:
                chunks.hand_back(connection, batch_no, ids, owner=self._owner)
