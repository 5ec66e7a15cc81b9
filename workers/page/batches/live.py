"""A batch live: parts of its page as server-sent events, each time that they change."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from tasks.api_keys.sessions import session_of
from tasks.batch_api.errors import NotFound
from tasks.store.api import batches as api_batches
from tasks.store.page import request_facts
from tasks.store.page.course import Course
from workers.page.batches import view
from workers.page.batches.view import BatchView
from workers.page.html import HEADERS, text
from workers.page.visit import Visit
from workers.views.familiarity import familiarity_of, unfamiliar_text, unfamiliar_warning
from workers.views.health import health_lines, needs_care
from workers.views.owners import for_owner

POLL_S = 1.0
#: a line that proxies take for life, where nothing changes
_KEEP_ALIVE_S = 15.0
_KEEP_ALIVE = b": nothing new\n\n"
#: the parts of the page, each a template and an event
PARTS = ("live", "steering", "files", "find", "said", "course")


async def batch_events(visit: Visit) -> Response:
    """Return the changes of a batch's page until the batch has ended."""
    first = await run_in_threadpool(_now, visit)
    headers = {**HEADERS, "x-accel-buffering": "no"}
    return StreamingResponse(_events(visit, first), media_type="text/event-stream", headers=headers)


def parts_of(visit: Visit, shown: BatchView) -> dict[str, Any]:
    """Return what the templates of the page's changing parts need besides the batch."""
    return {
        "troubles": _troubles(visit, shown),
        "unlike": _unlike(shown),
        "examples": _examples(visit, shown),
        "course": _course(shown.figures.course),
    }


def _troubles(visit: Visit, shown: BatchView) -> list[str]:
    """Return what holds the batch up, and what to do; of models that its key may not use, nothing."""
    if shown.progress is None:
        return []
    state = for_owner(shown.progress, visit.key.models, is_operator=visit.key.is_operator)
    errors = tuple(one for one in state.errors if needs_care(one))  # a table of the page has all of them
    paused = () if state.finished else state.paused
    return health_lines(replace(state, paused=paused, errors=errors), cancel="Cancel")


def _unlike(shown: BatchView) -> tuple[str, str]:
    """Return how many prompts are unlike the labels, and the same with what to do if they are many."""
    if shown.progress is None:
        return "", ""
    found = familiarity_of(shown.progress)
    return unfamiliar_text(found), unfamiliar_warning(found, shown.progress.batch_id)


def _examples(visit: Visit, shown: BatchView) -> dict[str, str]:
    """Return a custom_id for each code with which requests failed; for the owner, whose ids they are."""
    examples = shown.figures.parts.examples
    if not (shown.is_own and examples):
        return {}
    with visit.store.read() as connection:
        names = request_facts.custom_ids(connection, examples.values())
    return {code: names[request_id] for code, request_id in examples.items() if request_id in names}


def _now(visit: Visit) -> tuple[BatchView, dict[str, bytes]]:
    """Return the batch, and each changing part of its page as an event."""
    with visit.store.read() as connection:
        shown = view.read(connection, visit.key, visit.path("batch_id"), visit.context.wait_rules)
    values = {"batch": shown, "session": visit.session, **parts_of(visit, shown)}
    parts = {name: text(f"batch_{name}.html", **values) for name in PARTS if name != "course"}
    return shown, {name: _event(name, part) for name, part in {**parts, "course": values["course"]}.items()}


async def _events(visit: Visit, first: tuple[BatchView, dict[str, bytes]]) -> AsyncIterator[bytes]:
    (shown, parts), sent, spoken = first, dict[str, bytes](), time.monotonic()
    while True:
        changed = [part for name, part in parts.items() if sent.get(name) != part]
        if changed:
            yield b"".join(changed)
            sent, spoken = parts, time.monotonic()
        elif time.monotonic() - spoken >= _KEEP_ALIVE_S:
            yield _KEEP_ALIVE
            spoken = time.monotonic()
        if is_final(shown):
            yield _event("end", "")
            return
        await asyncio.sleep(POLL_S)
        again = None if visit.context.stopping.is_set() else await run_in_threadpool(_again, visit)
        if again is None:
            return
        shown, parts = again


def _again(visit: Visit) -> tuple[BatchView, dict[str, bytes]] | None:
    """Return the same as `_now` a moment later; None where the visitor may not see the batch any more."""
    session = session_of(visit.store, visit.session.token)
    if session is None:
        return None
    try:
        return _now(replace(visit, session=session))
    except NotFound:
        return None


def is_final(shown: BatchView) -> bool:
    """Return whether nothing of the page changes any more: the batch has ended, and was counted since."""
    if not shown.has_ended or (shown.of_api and shown.row["state"] not in api_batches.FINAL):
        return False
    # A batch of which no request has ended is never counted.
    return shown.progress is None or (shown.figures.counted_done or 0) == shown.progress.done


def _course(course: Course) -> str:
    """Return the times, counts and dollars of a batch's course, for the charts."""
    points = course.points
    return json.dumps({
        "seconds": [round(one.at_ms / 1000, 1) for one in points],
        "done": [one.done for one in points],
        "failed": [one.failed for one in points],
        "usd": [one.spent / 1e6 for one in points],
    }, separators=(",", ":"))  # fmt: skip


def _event(name: str, data: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in data.splitlines()) or "data:\n"
    return f"event: {name}\n{lines}\n".encode(errors="replace")
