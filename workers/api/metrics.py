"""`/metrics` in the API server: off until the environment holds a token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from workers.api.context import Context
from workers.metrics.collector import Exposition
from workers.metrics.server import CONTENT_TYPE, is_allowed, token_of


def metrics_endpoint(context: Context) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler of `/metrics`."""
    token = token_of(context.settings)
    exposition = Exposition(context.settings, context.store)

    async def endpoint(request: Request) -> Response:
        if token is None:
            raise HTTPException(404)
        if not is_allowed(request.headers.get("authorization"), token):
            raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
        return Response(await run_in_threadpool(exposition.text), headers={"Content-Type": CONTENT_TYPE})

    return endpoint
