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
from workers.api.batches import manifest
from workers.api.context import Call, Context
from workers.api.door.middleware import Door
from workers.api.errors import responses
from workers.api.events import stream
from workers.api.files import content
from workers.api.files import handlers as files
from workers.api.keys.authentication import Handler, in_thread, with_key
from workers.api.models import handlers as models
from workers.api.uploads import handlers as uploads

_ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]


def application(context: Context) -> ASGIApp:
    """Return the application."""
    handlers = {
        ApiError: _answering(responses.refused),
        UsageError: _answering(responses.refused_usage),
        HTTPException: _answering(responses.of_http),
    }
    # Not a Starlette application: its outermost layer would answer errors in a shape of its own.
    app = ExceptionMiddleware(Router(_routes(context), redirect_slashes=False), handlers)
    api = context.settings.api
    return Door(app, patience_s=api.patience_s, max_requests=api.max_connections)


def _routes(context: Context) -> list[Route]:
    def route(method: str, path: str, handler: Handler) -> Route:
        return Route(path, with_key(handler, context), methods=[method])

    def waiting(method: str, path: str, handler: Callable[[Call], Response]) -> Route:
        return route(method, path, in_thread(handler))

    return [
        Route("/health", _health, methods=["GET"]),
        route("POST", "/v1/files", files.create_file),
        waiting("GET", "/v1/files", files.list_files),
        waiting("GET", "/v1/files/{file_id}", files.retrieve_file),
        waiting("GET", "/v1/files/{file_id}/content", content.file_content),
        waiting("DELETE", "/v1/files/{file_id}", files.delete_file),
        route("POST", "/v1/batches", batches.create_batch),
        waiting("GET", "/v1/batches", batches.list_batches),
        waiting("GET", "/v1/batches/{batch_id}", batches.retrieve_batch),
        waiting("POST", "/v1/batches/{batch_id}/cancel", batches.cancel_batch),
        waiting("GET", "/v1/batches/{batch_id}/manifest", manifest.batch_manifest),
        route("GET", "/v1/batches/{batch_id}/events", stream.batch_events),
        route("POST", "/v1/uploads", uploads.create_upload),
        route("POST", "/v1/uploads/{upload_id}/parts", uploads.add_part),
        route("POST", "/v1/uploads/{upload_id}/complete", uploads.complete_upload),
        waiting("POST", "/v1/uploads/{upload_id}/cancel", uploads.cancel_upload),
        waiting("GET", "/v1/models", models.list_models),
        waiting("GET", "/v1/models/{model:path}", models.retrieve_model),
    ]


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _answering(answer: Callable[..., Response]) -> _ErrorHandler:
    async def handler(_request: Request, error: Exception) -> Response:
        return answer(error)

    return handler
