"""Money before permits: which waiting requests of a batch its budget has room for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from tasks.settings import ModelSettings
from tasks.stages.dispatch import call
from tasks.stages.dispatch.repository import DispatchRepository
from tasks.store import budgets
from tasks.store.ids import LINE_BITS
from tasks.store.values import HeldRequest, ReservationRequest, ReservationResult, Room

logger = logging.getLogger(__name__)

#: the pause while the store is down
DOWN_S = 1.0
#: batches whose room is remembered; beyond it, all are forgotten and asked for again
MAX_REMEMBERED = 1000
#: calls by the ids of their requests
Calls = Mapping[int, ReservationRequest]


class Money:
    """What this process knows of the budgets of the batches whose requests wait here.

    It may be out of date: the reservation decides. But a batch that has no money must take no permits, which
    others could use.
    """

    def __init__(self, repository: DispatchRepository, model: ModelSettings) -> None:
        self._repository = repository
        self._model = model
        self._rooms: dict[int, Room] = {}
        #: requests whose money may be reserved, although the store's reply was lost: the reservation decides
        self.in_doubt: set[int] = set()

    def note(self, batch_no: int, room: Room) -> None:
        """Remember what a batch has left."""
        if len(self._rooms) >= MAX_REMEMBERED:
            self._rooms.clear()
        self._rooms[batch_no] = room

    async def judge(
        self, requests: Sequence[HeldRequest], rest: Callable[[], Sequence[HeldRequest]]
    ) -> tuple[ReservationResult, list[ReservationRequest]]:
        """Return which of a batch's next calls its budget has room for, as far as is known, and all calls.

        The store is asked only where the room that is known does not do. If it does not do either, the rest
        of the batch's requests here are judged together with them.

        Raises:
            SQLAlchemyError: The store is down.
        """
        batch_no, calls = requests[0].batch_no, self._calls(requests)
        doubted = self.in_doubt.intersection(one.id for one in requests)
        room = self._rooms.get(batch_no)
        if room is None or sum(one.worst for one in self._sure(calls)) > room.now:
            room = await asyncio.to_thread(self._repository.room, batch_no)
            self.note(batch_no, room)
        split = budgets.allocate(room, self._sure(calls))
        if split.waiting or split.refused:
            taken = {one.id for one in requests}
            calls += self._calls([one for one in rest() if one.id not in taken])
            split = budgets.allocate(room, self._sure(calls))
        granted, later, refused = (frozenset(one.request_id for one in part) for part in split)
        return ReservationResult(granted | doubted, later, refused), calls

    async def put_off(self, calls: Sequence[ReservationRequest]) -> ReservationResult:
        """Let requests of a batch wait in the store for money, or refuse them; while it is down, neither."""
        if not calls:
            return ReservationResult()
        batch_no = calls[0].request_id >> LINE_BITS
        try:
            return await asyncio.to_thread(self._repository.put_off, batch_no, calls)
        except Exception as error:  # they are looked at again
            logger.warning("%s: requests wait for money here: %s", self._model.name, type(error).__name__)
            await asyncio.sleep(DOWN_S)
            return ReservationResult()

    def _calls(self, requests: Sequence[HeldRequest]) -> list[ReservationRequest]:
        return [call.reservation_for(request, self._model) for request in requests]

    def _sure(self, calls: Sequence[ReservationRequest]) -> list[ReservationRequest]:
        return [one for one in calls if one.request_id not in self.in_doubt]
