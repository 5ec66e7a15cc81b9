"""The key of a request, and the handlers that need one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from tasks.api_keys.keys import owner_of
from tasks.batch_api.errors import LimitReached
from tasks.store.api import keys
from tasks.store.api.keys import Key
from workers.api.context import Call, Context
from workers.api.errors.responses import Unauthorized
from workers.api.keys.concurrency import CountedResponse

Handler = Callable[[Call], Awaitable[Response]]
_MAX_HEADER = 256


def with_key(handler: Handler, context: Context) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that calls the handler for a request with a key, within the key's rate."""

    async def endpoint(request: Request) -> Response:
        key = await run_in_threadpool(_key_of, context, request.headers.get("authorization", ""))
        request.state.key_id = key.id
        context.requests.begin(key.id)
        try:
            response = await handler(Call(request, context, key))
        except BaseException:
            context.requests.end(key.id)
            raise
        return CountedResponse(response, partial(context.requests.end, key.id))

    return endpoint


def in_thread(handler: Callable[[Call], Response]) -> Handler:
    """Return the handler, which waits for the store, as one that runs in a thread."""

    async def run(call: Call) -> Response:
        return await run_in_threadpool(handler, call)

    return run


def _key_of(context: Context, header: str) -> Key:
    scheme, _, text = header[:_MAX_HEADER].partition(" ")
    key = owner_of(context.store, text.strip()) if scheme.lower() == "bearer" else None
    if key is None:
        raise Unauthorized("no valid key: send it as `Authorization: Bearer sk-wb-…`")
    refuse_too_fast(context, key)
    return key


def refuse_too_fast(context: Context, key: Key) -> None:
    """Take one request of the rate of a key; raises LimitReached where there is none now."""
    rpm = key.rpm
    if rpm is None:
        return
    with context.store.write() as connection:
        wait_s = keys.wait_of_next_request(connection, key.id, rpm)
    if wait_s:
        message = f"more than {rpm} requests per minute"
        raise LimitReached(message, code="rate_limit_exceeded", retry_after_s=max(wait_s, 1.0))
