"""The creation of a batch: once for each that is asked for, and within what its key may do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, RowMapping, select

from tasks.api_keys.keys import PRIORITIES
from tasks.batch_api.errors import ApiError, Conflict, LimitReached, NotFound
from tasks.batch_api.options import ApiOptions, api_options, batch_options
from tasks.endpoints.registry import ENDPOINTS
from tasks.errors import UsageError
from tasks.settings import Settings
from tasks.store import batches
from tasks.store.api import audit, files, keys
from tasks.store.api import batches as api_batches
from tasks.store.api.keys import Key
from tasks.store.engine import Store, now_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """What a client asks for.

    Attributes:
        metadata: Pairs of texts; `waybill_…` are options.
        output_expires_after: Seconds that the output files are kept.
        idempotency_key: The header of that name.
    """

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: Mapping[str, str]
    output_expires_after: int | None = None
    idempotency_key: str | None = None

    @property
    def fingerprint(self) -> str:
        """The hash of everything that makes two creations equal."""
        asked = [self.input_file_id, self.endpoint, self.completion_window, self.output_expires_after]
        text = json.dumps([*asked, sorted(self.metadata.items())])
        return hashlib.sha256(text.encode()).hexdigest()


def create(store: Store, settings: Settings, key: Key, new: NewBatch) -> RowMapping:
    """Create a batch that waits for its validation, or return the one that an equal creation made.

    Raises:
        ApiError: An option is wrong, there is no such file, or the key has reached a limit.
    """
    if new.endpoint not in ENDPOINTS:
        raise ApiError(f"endpoint must be one of {', '.join(ENDPOINTS)}", param="endpoint")
    options = api_options(new.metadata, new.completion_window)
    _check(settings, key, options)
    with store.write() as connection:
        locked = keys.lock(connection, key.id)
        if locked is None:
            raise ApiError("the key is revoked", code="invalid_api_key")
        earlier = _earlier(connection, key, new, settings.api.repeat_s)
        return earlier or _create(connection, locked, new, options)


def _check(settings: Settings, key: Key, options: ApiOptions) -> None:
    """Raise ApiError for options that no batch of the key can have."""
    budgeted = options.budget is not None or key.budget_day is not None or key.budget_month is not None
    try:
        batches.check_budget(
            batch_options(settings, key, options), options.budget or (0 if budgeted else None)
        )
    except UsageError as error:
        raise ApiError(str(error), param="metadata.waybill_budget_usd") from None
    if options.priority and PRIORITIES.index(options.priority) > PRIORITIES.index(key.priority):
        raise ApiError(f"the key's priority is {key.priority}", param="metadata.waybill_priority")


def _earlier(connection: Connection, key: Key, new: NewBatch, within_s: float) -> RowMapping | None:
    row = api_batches.same(
        connection,
        key.id,
        idempotency_key=new.idempotency_key,
        fingerprint=new.fingerprint,
        within_s=within_s,
    )
    if row is not None and row["fingerprint"] != new.fingerprint:
        raise Conflict(
            "the Idempotency-Key was used for another batch",
            code="idempotency_key_reused",
            param="Idempotency-Key",
        )
    return row


def _create(connection: Connection, key: Key, new: NewBatch, options: ApiOptions) -> RowMapping:
    file = files.find(connection, key.id, new.input_file_id)
    if file is None:
        raise NotFound("file", new.input_file_id, param="input_file_id")
    if file["purpose"] != "batch":
        raise ApiError("the file's purpose is not 'batch'", code="invalid_purpose", param="input_file_id")
    refuse_too_many(connection, key)
    batch_id, budget = batches.new_id(), _budget(connection, key, options.budget)
    audit.note(connection, "batch.create", batch_id, owner=key.id, file=file["id"], budget=budget)
    return api_batches.create(
        connection,
        id=batch_id,
        owner=key.id,
        window_s=options.window_s,
        budget=budget,
        input_file_id=new.input_file_id,
        endpoint=new.endpoint,
        completion_window=new.completion_window,
        pairs=dict(new.metadata) or None,
        output_expires_after=new.output_expires_after,
        output_file_id=files.new_id(),
        error_file_id=files.new_id(),
        idempotency_key=new.idempotency_key,
        fingerprint=new.fingerprint,
    )


def refuse_too_many(connection: Connection, key: Key) -> None:
    """Raise LimitReached where a locked key has as many unfinished batches as it may have."""
    most = key.concurrent_batches
    if most is not None and keys.unfinished_batches(connection, key.id) >= most:
        raise LimitReached(f"the key may have {most} unfinished batches", code="concurrent_batches_exceeded")


def _budget(connection: Connection, key: Key, asked: int | None) -> int | None:
    """Return the micro-dollars that a new batch of a locked key may cost; raises LimitReached.

    All that the key's unfinished batches may yet cost is taken. A batch that asks for no budget gets what is
    left; its validation gives back what its requests cannot cost.
    """
    rooms = [(room, name) for name, room in left_of(connection, key).items()]
    if not rooms:
        return asked
    room, name = min(rooms)
    if room <= 0 or (asked or 0) > room:
        raise no_room(room, f"this {name}")
    return room if asked is None else asked


def left_of(connection: Connection, key: Key) -> dict[str, int]:
    """Return the micro-dollars that new batches of a key may cost, by `day` and `month`; below 0: over it."""
    now = connection.execute(select(now_ms())).scalar_one()
    return {
        one.name: one.most - keys.committed(connection, key.id, one.since, one.until)
        for one in periods(key, now)
    }


class Period(NamedTuple):
    """A limit of a key: micro-dollars for the batches that are created between two times (ms since 1970)."""

    most: int
    name: str
    since: int
    until: int


def periods(key: Key, at_ms: int) -> list[Period]:
    """Return the limits of a key for the day and the month (UTC) of a time."""
    day = datetime.fromtimestamp(at_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    month = day.replace(day=1)
    limits = (
        (key.budget_day, "day", day, day + timedelta(days=1)),
        (key.budget_month, "month", month, (month + timedelta(days=31)).replace(day=1)),
    )
    return [
        Period(most, name, int(since.timestamp() * 1000), int(until.timestamp() * 1000))
        for most, name, since, until in limits
        if most is not None
    ]


def no_room(room: int, period: str) -> LimitReached:
    """Return the error for a batch that does not fit what is left of a key's budget of a day or a month."""
    left = f"${max(room, 0) / 1_000_000:.6f}"
    message = f"the key has {left} left of its budget of {period}: unfinished batches count in full"
    return LimitReached(message, code="insufficient_quota")
