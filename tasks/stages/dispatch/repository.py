"""The books: what a dispatcher reads and writes in the store, each a transaction to be run in a thread."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from tasks.store import chunks, decisions, ledger, paused_models
from tasks.store.engine import Store
from tasks.store.values import Call, HeldRequest, ReservationRequest, ReservationResult


class CallHistory(NamedTuple):
    """What a request has behind it: its calls so far, the present one included, and the router's ranking."""

    calls: Sequence[Call]
    ranking: Sequence[str]

    @property
    def tried(self) -> list[str]:
        """The models it was sent to, in order."""
        return [call.model for call in self.calls]


class DispatchRepository:
    """The store as one worker process, its `owner` in the store, sees it."""

    def __init__(self, store: Store, owner: str) -> None:
        self._store = store
        self._owner = owner

    def reserve(self, batch_no: int, wants: Sequence[ReservationRequest]) -> ReservationResult:
        """Reserve money for calls of one batch."""
        with self._store.write() as connection:
            return ledger.reserve(connection, batch_no, wants, owner=self._owner)

    def histories(self, request_ids: Sequence[int]) -> dict[int, CallHistory]:
        """Return the models that each request was sent to, and the router's ranking of all."""
        with self._store.read() as connection:
            rankings = decisions.rankings(connection, request_ids)
            made = ledger.calls_of(connection, request_ids)
        return {i: CallHistory(made[i], json.loads(rankings.get(i, "[]"))) for i in request_ids}

    def pause(self, model: str, reason: str, seconds: float) -> None:
        """Note that a model rests."""
        with self._store.write() as connection:
            paused_models.pause(connection, model, reason=reason, seconds=seconds)

    def resume(self, model: str) -> None:
        """Note that a model is called again."""
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
