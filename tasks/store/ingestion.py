"""Ingestion: parsed lines become requests, chunks and outbox rows, a slice of the file per transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, delete, select, update

from tasks.endpoints.endpoint import CHAT_PATH
from tasks.errors import UsageError
from tasks.formats.determinism import Dedupe, is_deterministic_body
from tasks.formats.requests import InputError, ParsedRequest, request_hash
from tasks.store import batch_rows, batches, chunks, decisions, outcomes
from tasks.store.api import ended
from tasks.store.batch_options import BatchOptions
from tasks.store.bulk import insert_rows, rows_with
from tasks.store.ids import request_id
from tasks.store.outcomes import insert_ignoring
from tasks.store.tables import batch, input_error, request
from tasks.store.values import RoutedRequest


def ingest(
    connection: Connection, batch_no: int, options: BatchOptions, items: Sequence[ParsedRequest | InputError]
) -> list[InputError]:
    """Store one slice of the input; returns its bad lines, duplicates of a custom_id among them.

    Raises:
        UsageError: The batch takes no more requests: it was cancelled, or its submission has ended.
    """
    row = batches.lock(connection, batch_no)
    if row["status"] != "ingesting":
        raise UsageError(f"{row['id']} is {row['status']}: it takes no more requests")
    errors = [item for item in items if isinstance(item, InputError)]
    parsed, repeated = _without_repeats(
        connection, batch_no, [i for i in items if isinstance(i, ParsedRequest)]
    )
    errors += repeated
    rows = [_row(batch_no, item, options) for item in parsed]
    random_duplicates = _mark_duplicates(connection, batch_no, rows, options.dedupe)
    _open(connection, batch_no, options, rows)
    _finish_late(connection, batch_no, rows)
    if errors:
        connection.execute(
            insert_ignoring(connection, input_error), [_error_row(batch_no, e) for e in errors]
        )
        ended.record(connection, batch_no, [request_id(batch_no, error.line) for error in errors])
    last_line = max((item.line for item in items), default=0)
    duplicates = sum(row["state"] == "following" for row in rows)
    counted = {"duplicates": duplicates, "random_duplicates": random_duplicates}
    batches.count(connection, batch_no, total=len(rows), invalid=len(errors), **counted)
    connection.execute(update(batch).where(batch.c.no == batch_no).values(lines_read=last_line))
    return errors


def finish(connection: Connection, batch_no: int) -> None:
    """End the ingestion of a batch, whose whole input is stored: it can now finish."""
    statement = update(batch).where(batch.c.no == batch_no, batch.c.status == "ingesting")
    connection.execute(statement.values(status="in_progress"))
    batches.finish_if_done(connection, batch_no)


def discard(connection: Connection, batch_no: int) -> None:
    """Delete a batch without requests, and all that names it: SQLite gives its number to the next batch."""
    own = ((batch.c.no == batch_no) | (batch.c.payer_no == batch_no)) & (batch.c.total == 0)
    batch_rows.delete_all(connection, select(batch.c.no).where(own))
    connection.execute(delete(batch).where(own))


def repeated_id(item: ParsedRequest) -> InputError:
    """Return the error of a line whose custom_id an earlier line has."""
    return InputError(item.line, "duplicate_custom_id", "custom_id was used before", item.custom_id)


def _without_repeats(
    connection: Connection, batch_no: int, parsed: Sequence[ParsedRequest]
) -> tuple[list[ParsedRequest], list[InputError]]:
    ids = [item.custom_id for item in parsed]
    known = rows_with(connection, request, ("custom_id",), "custom_id", ids, {"batch_no": batch_no})
    seen = {row.custom_id for row in known}
    fresh: list[ParsedRequest] = []
    errors: list[InputError] = []
    for item in parsed:
        if item.custom_id in seen:
            errors.append(repeated_id(item))
        else:
            seen.add(item.custom_id)
            fresh.append(item)
    return fresh, errors


def _row(batch_no: int, item: ParsedRequest, options: BatchOptions) -> dict[str, Any]:
    return {
        "id": request_id(batch_no, item.line),
        "batch_no": batch_no,
        "line": item.line,
        "custom_id": item.custom_id,
        "body": item.body,
        "body_hash": request_hash(item.model, item.body, item.endpoint),
        "max_tokens": item.max_tokens,
        "messages": item.messages,
        "endpoint": None if item.endpoint == CHAT_PATH else item.endpoint,
        "model": item.model,
        "state": "held",
        "stage": chunks.EMBED if options.embed else chunks.ROUTE,
        "duplicate_of": None,
        "chunk_id": None,
        "left_out": json.dumps(item.left_out) if item.left_out else None,
    }


def _mark_duplicates(
    connection: Connection, batch_no: int, rows: list[dict[str, Any]], dedupe: Dedupe
) -> int:
    """Mark rows whose body an earlier request has as its duplicates; returns how many answers are random."""
    if dedupe == "off":
        return 0
    hashes = [row["body_hash"] for row in rows]
    originals = {"batch_no": batch_no, "duplicate_of": None}
    found = rows_with(connection, request, ("body_hash", "id"), "body_hash", hashes, originals)
    first = {bytes(one.body_hash): one.id for one in found}
    random = 0
    for row in rows:
        original = first.setdefault(row["body_hash"], row["id"])
        if original == row["id"]:
            continue
        if not is_deterministic_body(row["body"], row["endpoint"] or CHAT_PATH):
            if dedupe == "deterministic":
                continue
            random += 1
        row.update(duplicate_of=original, state="following")
    return random


def _finish_late(connection: Connection, batch_no: int, rows: Sequence[dict[str, Any]]) -> None:
    """Finish duplicates of requests that ended while the file was still being read."""
    originals = {row["duplicate_of"] for row in rows if row["duplicate_of"]}
    query = select(request.c.id, request.c.state).where(request.c.id.in_(originals))
    by_status: dict[str, list[int]] = {}
    for found in connection.execute(query):
        if found.state in ("succeeded", "failed", "cancelled"):
            by_status.setdefault(found.state, []).append(found.id)
    for status, ids in by_status.items():
        batches.count(connection, batch_no, **{status: outcomes.finish_duplicates(connection, ids, status)})


def _open(connection: Connection, batch_no: int, options: BatchOptions, rows: list[dict[str, Any]]) -> None:
    """Insert the rows with the chunks they wait in: named models go straight to their dispatch queue."""
    active = [row for row in rows if row["state"] == "held"]
    named = [row for row in active if row["model"] and not options.route_only]
    for row in named:
        row["stage"] = chunks.DISPATCH
    routed = [row["id"] for row in active if row["stage"] != chunks.DISPATCH]
    first = chunks.EMBED if options.embed else chunks.ROUTE
    size = options.chunk_size
    new_chunks = [
        chunks.NewChunk(first, routed[start : start + size]) for start in range(0, len(routed), size)
    ]
    new_chunks += decisions.dispatch_groups([(row["id"], row["model"]) for row in named], options.group_size)
    ids = chunks.open_chunks(connection, batch_no, new_chunks)
    chunk_of = {
        request_id: i for i, one in zip(ids, new_chunks, strict=True) for request_id in one.request_ids
    }
    for row in rows:
        row["chunk_id"] = chunk_of.get(row["id"])
    insert_rows(connection, request, rows)
    decisions.insert(connection, batch_no, list(map(_named, named)))


def _named(row: dict[str, Any]) -> RoutedRequest:
    return RoutedRequest(row["id"], row["model"], None, "{}", (row["model"],), None, False, "named_model")


def _error_row(batch_no: int, error: InputError) -> dict[str, Any]:
    return {
        "batch_no": batch_no,
        "line": error.line,
        "code": error.code,
        "reason": error.reason,
        "custom_id": error.custom_id,
    }


def errors_of(connection: Connection, batch_no: int) -> Iterable[InputError]:
    """Yield the batch's bad lines, in order."""
    query = select(input_error).where(input_error.c.batch_no == batch_no).order_by(input_error.c.line)
    for row in connection.execute(query):
        yield InputError(row.line, row.code, row.reason, row.custom_id)
