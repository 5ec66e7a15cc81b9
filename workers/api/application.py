"""The application: its paths, its errors and what lies around them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tasks.batch_api.errors import ApiError
from tasks.errors import UsageError
from workers.api.batches import handlers as batches
from workers.api.context import Call, Context
from workers.api.door.middleware import Door
from workers.api.errors import responses
from workers.api.files import content
from workers.api.files import handlers as files
from workers.api.keys.authentication import in_thread, with_key
from workers.api.models import handlers as models

_ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]


def application(context: Context) -> ASGIApp:
    """Return the application."""
    app = Starlette(
        routes=_routes(),
        exception_handlers={
            ApiError: _answering(responses.refused),
            UsageError: _answering(responses.refused_usage),
            HTTPException: _answering(responses.of_http),
        },
    )
    app.state.context = context
    api = context.settings.api
    return Door(app, patience_s=api.patience_s, max_requests=api.max_connections)


def _routes() -> list[Route]:
    return [
        Route("/health", _health, methods=["GET"]),
        Route("/v1/files", with_key(files.create_file), methods=["POST"]),
        _get("/v1/files", files.list_files),
        _get("/v1/files/{file_id}", files.retrieve_file),
        _get("/v1/files/{file_id}/content", content.file_content),
        Route("/v1/files/{file_id}", with_key(in_thread(files.delete_file)), methods=["DELETE"]),
        Route("/v1/batches", with_key(batches.create_batch), methods=["POST"]),
        _get("/v1/batches", batches.list_batches),
        _get("/v1/batches/{batch_id}", batches.retrieve_batch),
        Route("/v1/batches/{batch_id}/cancel", with_key(in_thread(batches.cancel_batch)), methods=["POST"]),
        _get("/v1/models", models.list_models),
        _get("/v1/models/{model:path}", models.retrieve_model),
    ]


def _get(path: str, handler: Callable[[Call], Response]) -> Route:
    return Route(path, with_key(in_thread(handler)), methods=["GET"])


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _answering(answer: Callable[..., Response]) -> _ErrorHandler:
    async def handler(_request: Request, error: Exception) -> Response:
        return answer(error)

    return handler
