"""The paths of the page."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from workers.api.context import Context
from workers.page.batches.actions import act
from workers.page.batches.downloads import download
from workers.page.batches.handlers import list_batches, show_batch
from workers.page.batches.live import batch_events
from workers.page.login import end_session, logging_in, show_login
from workers.page.operations.handlers import show_operations
from workers.page.requests.handlers import show_explanation, show_request
from workers.page.routers.handlers import change_roles, show_curves, show_routers
from workers.page.static_files import static_file
from workers.page.submission.handlers import show_estimate, show_file, show_upload, submit, upload
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
        get("/submit", page(show_upload, context)),
        post("/submit", async_page(upload, context, reads_form=False)),
        get("/submit/{file_id}", page(show_file, context)),
        post("/submit/{file_id}", page(submit, context)),
        get("/submit/{file_id}/estimate", async_page(show_estimate, context)),
        get("/routers", page(show_routers, context, operators=True)),
        get("/routers/{version}", page(show_curves, context, operators=True)),
        post("/routers/{action}", page(change_roles, context, operators=True)),
        get("/operations", page(show_operations, context, operators=True)),
        Route("/house", _moved),  # its path until 0.2.0
        get("/batches/{batch_id}", page(show_batch, context)),
        get("/batches/{batch_id}/request", page(show_request, context)),
        get("/batches/{batch_id}/request/explanation", async_page(show_explanation, context)),
        get("/batches/{batch_id}/live", async_page(batch_events, context)),
        get("/batches/{batch_id}/files/{name}", page(download, context)),
        post("/batches/{batch_id}/{action}", page(act, context)),
    ]


async def _moved(_: Request) -> Response:
    return RedirectResponse("/operations", status_code=308)
