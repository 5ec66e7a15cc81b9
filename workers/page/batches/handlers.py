"""The list of batches, and the page of one."""

from __future__ import annotations

from typing import cast, get_args

from starlette.datastructures import QueryParams
from starlette.responses import Response

from tasks.batch_api.errors import NotFound
from tasks.store.page import figures
from tasks.store.page.batch_list import Filter, Show
from workers.page.batches import view
from workers.page.batches.live import parts_of
from workers.page.visit import Visit

_MANY = 25


def list_batches(visit: Visit) -> Response:
    """Show the batches that the visitor may see, the newest first."""
    wanted = _filter(visit.request.query_params)
    with visit.store.read() as connection:
        found = view.listed(connection, visit.key, wanted, limit=_MANY + 1)
    shown = found[:_MANY]
    more = f"{shown[-1].row['created_at']}-{shown[-1].id}" if len(found) > _MANY else None
    template = "batch_rows.html" if "hx-request" in visit.request.headers else "batches.html"
    return visit.page(
        template,
        batches=shown,
        wanted=wanted,
        more=more,
        is_first=wanted.before is None,
        here_url=_here(visit),
    )


def show_batch(visit: Visit) -> Response:
    """Show a batch; it then changes by the events of `live`."""
    batch_id = visit.path("batch_id")
    with visit.store.read() as connection:
        shown = view.read(connection, visit.key, batch_id, visit.context.wait_rules)
    if _is_uncounted(shown):
        figures.count(visit.store, shown.row["run_no"])
        with visit.store.read() as connection:
            shown = view.read(connection, visit.key, batch_id, visit.context.wait_rules)
    done = visit.request.query_params.get("done", "")
    return visit.page("batch.html", batch=shown, done=done, **parts_of(visit, shown))


def _is_uncounted(shown: view.BatchView) -> bool:
    """Return whether a batch has ended and its parts are not those of its end: it is counted once."""
    state = shown.progress
    return state is not None and state.finished and shown.figures.counted_done != state.done


def _here(visit: Visit) -> str:
    url = visit.request.url
    return f"{url.path}?{url.query}"


def _filter(query: QueryParams) -> Filter:
    show = query.get("show", "all")
    before = query.get("before", "")
    return Filter(
        cast(Show, show) if show in get_args(Show) else "all",
        query.get("owner", "").strip()[:64],
        _place(before) if before else None,
    )


def _place(text: str) -> tuple[int, str]:
    """Return the place in the list after which a page begins."""
    at, _, batch_id = text.partition("-")
    if not (at.isascii() and at.isdecimal() and len(at) < 16):
        raise NotFound("page", text[:80])
    return int(at), batch_id
