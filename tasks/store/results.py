"""Results: the outcomes of a batch as records in input order, page by page, then its bad lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from string import hexdigits
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, select

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.endpoints.endpoint import CHAT_PATH
from tasks.formats.results import ResultRecord
from tasks.store import batches
from tasks.store.batch_options import BatchOptions
from tasks.store.deletion import refuse_without_data
from tasks.store.engine import Store
from tasks.store.ids import ids_of, request_id
from tasks.store.tables import attempt, decision, input_error, outcome, request

_SHOWN = "batch_req_"
#: body, notes, and the custom_id of a duplicate's original
_Answer = tuple[dict[str, Any] | None, dict[str, Any] | None, str | None]


def iter_results(
    store: Store, batch_id: str, *, page: int = 1000, failed: bool | None = None
) -> Iterator[ResultRecord]:
    """Yield a record for each request that has ended, then one for each bad line; raises UnknownBatch.

    With `failed`, only those that have failed, bad lines included, or only those that have not.
    Memory holds one page. Each page is a snapshot of its own, so no long transaction holds back the database.
    """
    with store.read() as connection:
        row = batches.find(connection, batch_id)
        refuse_without_data(row)
    route_only = BatchOptions.from_row(row["options"]).route_only
    yield from _requests(store, row["no"], route_only, page, failed)
    if failed is not False:
        yield from _bad_lines(store, row["no"], page)


def records_of(connection: Connection, row: RowMapping, request_ids: Sequence[int]) -> list[ResultRecord]:
    """Return the records of these lines of a batch, in their order; they have ended, or are bad lines.

    Raises:
        UsageError: The batch's prompts and answers were deleted.
    """
    refuse_without_data(row)
    query = _ended().where(outcome.c.request_id.in_(request_ids))
    rows = connection.execute(query).mappings().all()
    facts, route_only = _PageFacts(connection, rows), BatchOptions.from_row(row["options"]).route_only
    found = {one["request_id"]: facts.record(one, route_only) for one in rows}
    first = request_id(row["no"], 0)
    lines = [one - first for one in request_ids if one not in found]
    bad = select(input_error).where(input_error.c.batch_no == row["no"], input_error.c.line.in_(lines))
    for one in connection.execute(bad).mappings() if lines else ():
        found[first + one["line"]] = _bad_line(one)
    return [found[one] for one in request_ids if one in found]


def line_of(shown_id: str) -> int | None:
    """Return the request whose line in a result file has this `id`; None for no such id."""
    digits = shown_id.removeprefix(_SHOWN)
    is_one = shown_id.startswith(_SHOWN) and len(digits) == 16 and not set(digits) - set(hexdigits)
    return int(digits, 16) if is_one else None


def _requests(
    store: Store, batch_no: int, route_only: bool, page: int, failed: bool | None
) -> Iterator[ResultRecord]:
    after, last = ids_of(batch_no)
    while True:
        with store.read() as connection:
            # Also while pages are read: an answer that is gone must not look like an empty one.
            refuse_without_data(batches.by_number(connection, batch_no))
            rows = _outcomes(connection, after, last, page, failed)
            facts = _PageFacts(connection, rows)
        if not rows:
            return
        for row in rows:
            yield facts.record(row, route_only)
        after = rows[-1]["request_id"]


def _outcomes(
    connection: Connection, after: int, last: int, page: int, failed: bool | None
) -> Sequence[RowMapping]:
    mine = _ended().where(outcome.c.request_id > after, outcome.c.request_id <= last)
    if failed is not None:
        has_answer = outcome.c.status == "succeeded"
        mine = mine.where(~has_answer if failed else has_answer)
    return connection.execute(mine.order_by(outcome.c.request_id).limit(page)).mappings().all()


def _ended() -> Select[Any]:
    columns = (request.c.custom_id, request.c.line, request.c.endpoint, request.c.left_out)
    return select(outcome, *columns).join(request, request.c.id == outcome.c.request_id)


class _PageFacts:
    """The originals, decisions and costs that belong to a page of outcomes, read by primary keys."""

    def __init__(self, connection: Connection, rows: Sequence[RowMapping]) -> None:
        ids = [row["request_id"] for row in rows]
        originals = sorted({row["duplicate_of"] for row in rows if row["duplicate_of"] is not None})
        self._originals = _originals(connection, originals)
        self._decisions = _decisions(connection, [*ids, *originals])
        self._costs = _costs(connection, ids)
        unanswered = [row["request_id"] for row in rows if row["status"] != "succeeded"]
        self._kept = _kept_answers(connection, [*unanswered, *originals]) if unanswered else {}

    def record(self, row: RowMapping, route_only: bool) -> ResultRecord:
        body, notes, original_id = self._answer(row)
        kept = None if body or row["status"] == "succeeded" else self._kept_answer(row)
        if kept is not None:
            body, notes = kept, {**(notes or {}), "valid": False}
        routed = route_only and row["status"] == "succeeded"
        return ResultRecord(
            request_id=_shown_id(row["request_id"]),
            custom_id=row["custom_id"],
            line=row["line"],
            # A decision counts as an answer, although no provider sent it.
            status_code=200 if routed or kept is not None else row["status_code"],
            body={"object": "waybill.decision", "model": row["model"]} if routed else body,
            error_code=row["error_code"],
            error_message=row["error_message"],
            error_line=None,
            waybill={**self._waybill(row, original_id), **_left_out(row["left_out"]), **(notes or {})},
            endpoint=row["endpoint"] or CHAT_PATH,
        )

    def _answer(self, row: RowMapping) -> _Answer:
        """Return the body and its notes, and for a duplicate the custom_id of the request that was called."""
        if row["duplicate_of"] is None:
            text, notes, original_id = row["body"], row["notes"], None
        else:
            text, notes, original_id = self._originals[row["duplicate_of"]]
            # What was saved stands once, with the original: the lines add up to the batch.
            notes = notes and {name: value for name, value in notes.items() if name != "saved_usd"}
        return (None if text is None else json.loads(text)), notes, original_id

    def _kept_answer(self, row: RowMapping) -> dict[str, Any] | None:
        """Return the last answer to a request that has no better one: it did not fit, but was paid for."""
        text = self._kept.get(row["duplicate_of"] or row["request_id"])
        return None if text is None else json.loads(text)

    def _waybill(self, row: RowMapping, original_id: str | None) -> dict[str, Any]:
        routed = self._decisions.get(row["duplicate_of"] or row["request_id"], _UNROUTED)
        return {
            **{name: routed[name] for name in ("category", "predicted", "gap", "used_fallback")},
            "reason": routed["reason"],
            "router_version": routed["router_version"],
            "cost_usd": self._costs.get(row["request_id"], 0) / MICROS_PER_DOLLAR,
            "latency_ms": row["latency_ms"],
            "attempts": row["attempts"],
            "duplicate_of": original_id,
        }


def _left_out(stored: str | None) -> dict[str, Any]:
    """Return the models that could not answer, where there are any."""
    return {"left_out": json.loads(stored)} if stored else {}


_UNROUTED: dict[str, Any] = dict.fromkeys(
    ("category", "predicted", "gap", "used_fallback", "reason", "router_version")
)


def _originals(
    connection: Connection, ids: Sequence[int]
) -> dict[int, tuple[str | None, dict[str, Any] | None, str]]:
    query = (
        select(request.c.id, outcome.c.body, outcome.c.notes, request.c.custom_id)
        .join(outcome, outcome.c.request_id == request.c.id)
        .where(request.c.id.in_(ids))
    )
    return {row.id: (row.body, row.notes, row.custom_id) for row in connection.execute(query)}


def _kept_answers(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    """Return the last answer that did not fit, of each request that has one."""
    query = (
        select(attempt.c.request_id, attempt.c.answer)
        .where(attempt.c.request_id.in_(ids), attempt.c.answer.is_not(None))
        .order_by(attempt.c.request_id, attempt.c.number)
    )
    return dict(connection.execute(query).all())


def _decisions(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    query = select(decision).where(decision.c.request_id.in_(ids))
    return {
        row["request_id"]: {**row, "predicted": json.loads(row["predicted"])}
        for row in connection.execute(query).mappings()
    }


def _costs(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """Return the cost of all calls of each request, failed ones included: lines add up to the spend."""
    query = (
        select(attempt.c.request_id, func.sum(attempt.c.cost))
        .where(attempt.c.request_id.in_(ids))
        .group_by(attempt.c.request_id)
    )
    return {row[0]: int(row[1]) for row in connection.execute(query)}


def _bad_lines(store: Store, batch_no: int, page: int) -> Iterator[ResultRecord]:
    after = 0
    while True:
        query = (
            select(input_error)
            .where(input_error.c.batch_no == batch_no, input_error.c.line > after)
            .order_by(input_error.c.line)
            .limit(page)
        )
        with store.read() as connection:
            rows = connection.execute(query).mappings().all()
        if not rows:
            return
        yield from map(_bad_line, rows)
        after = rows[-1]["line"]


def _bad_line(row: RowMapping) -> ResultRecord:
    return ResultRecord(
        request_id=_shown_id(request_id(row["batch_no"], row["line"])),
        custom_id=row["custom_id"] or f"line-{row['line']}",
        line=row["line"],
        status_code=None,
        body=None,
        error_code=row["code"],
        error_message=row["reason"],
        error_line=row["line"],
        waybill=dict(_UNROUTED),
    )


def _shown_id(number: int) -> str:
    return f"{_SHOWN}{number:016x}"
