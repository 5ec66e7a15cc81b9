"""Logging in with a key, and out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from tasks.api_keys.sessions import LASTS_S, log_in, log_out
from tasks.batch_api.errors import ApiError
from workers.api.context import Context
from workers.api.door.middleware import FAILED
from workers.page.html import failed, go_to, html
from workers.page.visit import COOKIE, Visit, refuse_other_sites, refused, small_form

_MAX_KEY = 256


async def show_login(request: Request) -> Response:
    """Return the form that asks for a key."""
    return html(
        "login.html", session=None, next=_own_path(request.query_params.get("next", "/")), is_wrong=False
    )


def logging_in(context: Context) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint that takes a key and sets the cookie."""

    async def endpoint(request: Request) -> Response:
        setattr(request.state, FAILED, failed)
        try:
            refuse_other_sites(request)
            form = await small_form(request)
        except ApiError as error:
            return refused(error, None)
        session = await run_in_threadpool(log_in, context.store, form.get("key", "")[:_MAX_KEY].strip())
        to = _own_path(form.get("next", "/"))
        if session is None:
            return html("login.html", status=401, session=None, next=to, is_wrong=True)
        response = go_to(request, to)
        response.set_cookie(
            COOKIE,
            session.token,
            max_age=int(LASTS_S),
            httponly=True,
            samesite="lax",
            secure=_is_encrypted(request),
        )
        return response

    return endpoint


def end_session(visit: Visit) -> Response:
    """End the session."""
    log_out(visit.store, visit.session)
    response = go_to(visit.request, "/login")
    response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=_is_encrypted(visit.request))
    return response


def _own_path(path: str) -> str:
    """Return the path where it is one of ours, else the first page."""
    is_own = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_own else "/"


def _is_encrypted(request: Request) -> bool:
    """Return whether the browser speaks TLS, with us or with a proxy before us."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))
