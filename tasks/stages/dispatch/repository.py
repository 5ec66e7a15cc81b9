"""The store as a dispatcher uses it: each method is one transaction, to be run in a thread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from tasks.providers.errors import ErrorKind, ProviderError
from tasks.store import chunks, decisions, ledger, paused_models, reservations
from tasks.store.engine import Store
from tasks.store.health import model_errors
from tasks.store.unlocked import folding, reserving, settling
from tasks.store.values import Call, HeldRequest, ReservationRequest, ReservationResult, Room, Settlement

#: purses that are remembered; beyond it, all are forgotten, and taken back when their money is needed
MAX_PURSES = 1000
_OPERATOR_ERRORS = frozenset(kind.value for kind in ErrorKind if kind.needs_operator)


class CallHistory(NamedTuple):
    """The calls of a request in order, the present one included, and the router's ranking of all models."""

    calls: Sequence[Call]
    ranking: Sequence[str]

    @property
    def models(self) -> list[str]:
        """The models that were called, in order; one that was called twice stands here twice."""
        return [call.model for call in self.calls]

    def earlier_at_this_model(self, request: HeldRequest) -> Sequence[Call]:
        """Return the calls that the present model had of this request before the present one."""
        return self.calls[len(self.calls) - request.model_attempts - 1 : -1]

    def attempts(self, request: HeldRequest, error: ProviderError) -> int:
        """Return the number of calls to the present model that count towards its limit of attempts.

        Errors that only an operator can mend are counted apart from all others: waiting for a new key takes
        away none of the attempts that a timeout has.
        """
        earlier = self.earlier_at_this_model(request)
        for_operator = sum(call.error_code in _OPERATOR_ERRORS for call in earlier)
        return 1 + (for_operator if error.kind.needs_operator else len(earlier) - for_operator)


class DispatchRepository:
    """The store's reads and writes for one worker process, which is called `owner` there."""

    def __init__(self, store: Store, owner: str) -> None:
        self._store = store
        self._owner = owner
        #: by the numbers of their batches
        self._purses: dict[int, int] = {}

    def reserve(self, batch_no: int, calls: Sequence[ReservationRequest]) -> ReservationResult:
        """Reserve money for calls of one batch: from this process's purse, or under the batch's lock."""
        paid = self._from_purse(batch_no, calls)
        rest = [one for one in calls if one.request_id not in paid.granted]
        if not rest:
            return paid
        with self._store.write() as connection:
            result = reservations.reserve(connection, batch_no, rest, owner=self._owner)
        self._note(batch_no, result.purse)
        return replace(result, granted=result.granted | paid.granted)

    def settle(self, batch_no: int, settlements: Sequence[Settlement]) -> bool:
        """Write the results of calls of one batch; returns whether its counters are to be folded."""
        rest = settlements
        if not self._store.is_sqlite:
            rest = settling.settle(self._store, batch_no, settlements)
        if rest:
            with self._store.write() as connection:
                ledger.settle(connection, batch_no, rest)
        return len(rest) < len(settlements)

    def fold(self, batch_no: int) -> bool:
        """Fold what settlements have added to a batch; returns False where it is locked."""
        return folding.fold_batch(self._store, batch_no)

    def _from_purse(self, batch_no: int, calls: Sequence[ReservationRequest]) -> ReservationResult:
        purse = self._purses.pop(batch_no, None)
        if purse is None:
            return ReservationResult()
        got = reserving.reserve(self._store, purse, calls, owner=self._owner)
        if len(got.granted) == len(calls):
            self._note(batch_no, purse)
        left = math.inf if got.left is None else got.left
        return ReservationResult(got.granted, room=Room(left, math.inf))

    def _note(self, batch_no: int, purse: int | None) -> None:
        if len(self._purses) >= MAX_PURSES:
            self._purses.clear()
        if purse is not None:
            self._purses[batch_no] = purse

    def room(self, batch_no: int) -> Room:
        """Return what the budgets of a batch have left."""
        with self._store.read() as connection:
            return reservations.room(connection, batch_no)

    def put_off(self, batch_no: int, calls: Sequence[ReservationRequest]) -> ReservationResult:
        """Let requests wait in the store for money."""
        with self._store.write() as connection:
            return reservations.put_off(connection, batch_no, calls, owner=self._owner)

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

    def add_errors(self, failed: Sequence[model_errors.FailedCalls]) -> None:
        """Count failed calls by batch, model and code."""
        with self._store.write() as connection:
            model_errors.add(connection, failed)

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
