"""The paths of the page."""

from __future__ import annotations

from starlette.routing import Route

from workers.api.context import Context
from workers.page.batches.actions import act
from workers.page.batches.downloads import download
from workers.page.batches.handlers import list_batches, show_batch
from workers.page.batches.live import batch_events
from workers.page.login import end_session, logging_in, show_login
from workers.page.static_files import static_file
from workers.page.visit import Endpoint, async_page, page


def page_routes(context: Context) -> list[Route]:
    """Return the routes of the page; all but the login and the static files need a session."""

    def get(path: str, endpoint: Endpoint) -> Route:
        return Route(path, endpoint, methods=["GET"])

    def post(path: str, endpoint: Endpoint) -> Route:
        return Route(path, endpoint, methods=["POST"])

    return [
        get("/static/{digest}/{name:path}", static_file),
        get("/login", show_login),
        post("/login", logging_in(context)),
        post("/logout", page(end_session, context)),
        get("/", page(list_batches, context)),
        get("/batches/{batch_id}", page(show_batch, context)),
        get("/batches/{batch_id}/live", async_page(batch_events, context)),
        get("/batches/{batch_id}/files/{name}", page(download, context)),
        post("/batches/{batch_id}/{action}", page(act, context)),
    ]
