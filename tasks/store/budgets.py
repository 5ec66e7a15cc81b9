"""What the budgets that pay for a batch have left, and which calls fit into it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import RowMapping

from tasks.store.values import ReservationRequest, Room

#: the row of a batch
Payer = RowMapping | Mapping[str, Any]


class Allocation(NamedTuple):
    """Calls that fit the budgets now, that may fit when calls in flight have ended, and that never will."""

    granted: list[ReservationRequest]
    waiting: list[ReservationRequest]
    refused: list[ReservationRequest]


def room_of(payers: Sequence[Payer]) -> Room:
    """Return what the rows of a batch and its payer have left; one that is paused has nothing now."""
    now = unreserved(payers) if payers[0]["paused_at"] is None else -math.inf
    at_best = (row["budget"] - row["spent"] for row in payers if row["budget"] is not None)
    return Room(now, min(at_best, default=math.inf))


def unreserved(payers: Sequence[Payer]) -> float:
    """Return what the rows of a batch and its payer have left beside all that is reserved."""
    left = (row["budget"] - row["spent"] - row["reserved"] for row in payers if row["budget"] is not None)
    return min(left, default=math.inf)


def allocate(room: Room, calls: Sequence[ReservationRequest]) -> Allocation:
    """Split calls by whether their worst cases fit, the first ones first."""
    left = room.now
    split = Allocation([], [], [])
    for one in calls:
        if one.worst <= left:
            split.granted.append(one)
            left -= one.worst
        elif one.worst <= room.at_best:
            split.waiting.append(one)
        else:
            split.refused.append(one)
    return split
