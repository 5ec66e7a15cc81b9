"""The application: its paths, its errors and what lies around them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from tasks.batch_api.errors import ApiError
from tasks.errors import UsageError
from workers.api.batches import handlers as batches
from workers.api.batches import manifest, progress, steering
from workers.api.context import Context
from workers.api.door.middleware import Door, asks_for_page
from workers.api.errors import responses
from workers.api.estimates.handlers import create_estimate
from workers.api.events import stream
from workers.api.files import content
from workers.api.files import handlers as files
from workers.api.keys.authentication import Handler, in_thread, with_key
from workers.api.metrics import metrics_endpoint
from workers.api.models import handlers as models
from workers.api.uploads import handlers as uploads
from workers.page.html import failed
from workers.page.routes import page_routes

_ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]


def application(context: Context) -> ASGIApp:
    """Return the application."""
    handlers = {
        ApiError: _answering(responses.refused),
        UsageError: _answering(responses.refused_usage),
        HTTPException: _of_http,
    }
    # Not a Starlette application: its outermost layer would answer errors in a shape of its own.
    app = ExceptionMiddleware(Router(_routes(context), redirect_slashes=False), handlers)
    api = context.settings.api
    return Door(app, patience_s=api.patience_s, max_requests=api.max_connections, page=failed)


def _routes(context: Context) -> list[Route]:
    def route(path: str, **handlers: Handler) -> Route:
        # One route for all methods of a path, so that a 405 names them all.
        endpoints = {method: with_key(handler, context) for method, handler in handlers.items()}

        async def endpoint(request: Request) -> Response:
            return await endpoints["GET" if request.method == "HEAD" else request.method](request)

        return Route(path, endpoint, methods=list(endpoints))

    return [
        Route("/health", _health, methods=["GET"]),
        Route("/metrics", metrics_endpoint(context), methods=["GET"]),
        route("/v1/files", POST=files.create_file, GET=in_thread(files.list_files)),
        route("/v1/files/{file_id}", GET=in_thread(files.retrieve_file), DELETE=in_thread(files.delete_file)),
        route("/v1/files/{file_id}/content", GET=in_thread(content.file_content)),
        route("/v1/batches", POST=batches.create_batch, GET=in_thread(batches.list_batches)),
        route("/v1/batches/{batch_id}", GET=in_thread(batches.retrieve_batch)),
        route("/v1/batches/{batch_id}/cancel", POST=in_thread(batches.cancel_batch)),
        route("/v1/batches/{batch_id}/manifest", GET=in_thread(manifest.batch_manifest)),
        route("/v1/batches/{batch_id}/events", GET=stream.batch_events),
        route("/v1/batches/{batch_id}/progress", GET=in_thread(progress.batch_progress)),
        route("/v1/batches/{batch_id}/pause", POST=in_thread(steering.pause_batch)),
        route("/v1/batches/{batch_id}/resume", POST=in_thread(steering.resume_batch)),
        route("/v1/batches/{batch_id}/budget", POST=steering.set_budget),
        route("/v1/batches/{batch_id}/retry", POST=steering.retry_batch),
        route("/v1/estimates", POST=create_estimate),
        route("/v1/uploads", POST=uploads.create_upload),
        route("/v1/uploads/{upload_id}/parts", POST=uploads.add_part),
        route("/v1/uploads/{upload_id}/complete", POST=uploads.complete_upload),
        route("/v1/uploads/{upload_id}/cancel", POST=in_thread(uploads.cancel_upload)),
        route("/v1/models", GET=in_thread(models.list_models)),
        route("/v1/models/{model:path}", GET=in_thread(models.retrieve_model)),
        *page_routes(context),
    ]


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _of_http(request: Request, error: Exception) -> Response:
    """Return the response to a path or a method that does not exist: a page for browsers."""
    assert isinstance(error, HTTPException)
    response = responses.of_http(error, request.url.path)
    if not asks_for_page(request.scope):
        return response
    page = failed(
        error.status_code, "There is no such page here." if error.status_code == 404 else error.detail
    )
    page.headers.update({name: value for name, value in response.headers.items() if name == "allow"})
    return page


def _answering(answer: Callable[..., Response]) -> _ErrorHandler:
    async def handler(_request: Request, error: Exception) -> Response:
        return answer(error)

    return handler
