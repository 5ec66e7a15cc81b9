"""A visit: a request of a browser that is logged in. Each page is a function of one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import cast
from urllib.parse import parse_qsl, quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from tasks.api_keys.sessions import Session, session_of
from tasks.batch_api.errors import ApiError, LimitReached, NotFound
from tasks.errors import UsageError
from tasks.store.api.keys import Key
from tasks.store.engine import Store
from workers.api.context import Call, Context
from workers.api.door.middleware import FAILED
from workers.api.errors.responses import TooLarge
from workers.api.keys.authentication import refuse_too_fast
from workers.api.keys.concurrency import CountedResponse
from workers.page.html import failed, go_to, html

COOKIE = "waybill_session"
#: the name of the field, and of the header, that shows that a form is one of our own
FORM_TOKEN = "form_token"
FORM_HEADER = "x-form-token"
_MAX_FORM = 64 << 10
_MAX_FIELDS = 100
_FORM_TYPE = "application/x-www-form-urlencoded"


class Forbidden(ApiError):
    """What this key may not see or do, or a form of another site."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request, the session that it belongs to, and the fields of its form."""

    request: Request
    context: Context
    session: Session
    form: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Whose visit it is."""
        return self.session.key

    @property
    def store(self) -> Store:
        """The store."""
        return self.context.store

    @property
    def call(self) -> Call:
        """The same as a call of the API."""
        return Call(self.request, self.context, self.key)

    def path(self, name: str) -> str:
        """Return a part of the path."""
        return cast(str, self.request.path_params[name])

    def to(self, path: str) -> Response:
        """Return the response to a form that was sent: the browser shows another page."""
        return go_to(self.request, path)

    def page(self, template: str, *, status: int = 200, **values: object) -> Response:
        """Return a page for this visitor."""
        return html(template, status=status, session=self.session, **values)


Page = Callable[[Visit], Response] | Callable[[Visit], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def page(show: Callable[[Visit], Response], context: Context, *, operators: bool = False) -> Endpoint:
    """Return an endpoint that shows a page, or does what a form asks for, in a thread.

    Args:
        show: The page.
        context: What the handlers share.
        operators: Whether it is for operators only.
    """

    async def run(visit: Visit) -> Response:
        return await run_in_threadpool(show, visit)

    return async_page(run, context, operators=operators)


def async_page(
    show: Callable[[Visit], Awaitable[Response]],
    context: Context,
    *,
    operators: bool = False,
    reads_form: bool = True,
) -> Endpoint:
    """Return an endpoint as `page` does; with `reads_form` False the page checks its form by itself."""

    async def endpoint(request: Request) -> Response:
        setattr(request.state, FAILED, failed)
        session = await run_in_threadpool(session_of, context.store, request.cookies.get(COOKIE, ""))
        if session is None:
            return _to_login(request)
        request.state.key_id = session.key.id
        try:
            visit = await _visit(request, context, session, reads_form=reads_form)
            if operators and not session.key.is_operator:
                raise Forbidden("this page is for operators")
            context.requests.begin(session.key.id)
        except (ApiError, UsageError) as error:
            return refused(error, session)
        try:
            response = await show(visit)
        except (ApiError, UsageError) as error:
            response = refused(error, session)
        except BaseException:
            context.requests.end(session.key.id)
            raise
        return CountedResponse(response, partial(context.requests.end, session.key.id))

    return endpoint


async def _visit(request: Request, context: Context, session: Session, *, reads_form: bool) -> Visit:
    """Return the visit; raises Forbidden for a change that none of our own pages asks for."""
    if request.method != "POST":
        return Visit(request, context, session)
    refuse_other_sites(request)
    await run_in_threadpool(refuse_too_fast, context, session.key)
    form = await small_form(request) if reads_form else {}
    if reads_form:
        refuse_foreign_form(session, form.get(FORM_TOKEN) or request.headers.get(FORM_HEADER, ""))
    return Visit(request, context, session, form)


def refuse_foreign_form(session: Session, token: str) -> None:
    """Raise Forbidden unless this is the token of the session's own forms."""
    if not session.is_own_form(token):
        raise Forbidden("this form is not one of your session's: load the page again")


def refuse_other_sites(request: Request) -> None:
    """Raise Forbidden for a form that another site has sent, as far as the browser says so."""
    headers = request.headers
    origin = headers.get("origin")
    is_foreign = origin is not None and origin.partition("://")[2] != headers.get("host")
    if is_foreign or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Forbidden("this form comes from another site")


async def small_form(request: Request) -> dict[str, str]:
    """Return the fields of a form without files; raises ApiError for any other body, or a large one."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != _FORM_TYPE:
        raise ApiError("the body is not a form", code="invalid_content_type")
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > _MAX_FORM:
            raise TooLarge(f"the form is larger than {_MAX_FORM} bytes")
    if b"\0" in data or b"%00" in data:  # PostgreSQL holds none
        raise ApiError("the form holds a NUL character", code="invalid_form")
    try:
        return dict(parse_qsl(data.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        raise ApiError("the form is malformed", code="invalid_form") from None


def refused(error: ApiError | UsageError, session: Session | None) -> Response:
    """Return the page that says why something is not there, or was not done."""
    kinds: tuple[tuple[type[Exception], int, str], ...] = (
        (NotFound, 404, "Not found"),
        (Forbidden, 403, "Not allowed"),
        (LimitReached, 429, "A limit is reached"),
        (TooLarge, 413, "Too large"),
    )
    found = ((status, title) for kind, status, title in kinds if isinstance(error, kind))
    status, title = next(found, (400, "That did not work"))
    return html("error.html", status=status, session=session, title=title, message=str(error))


def _to_login(request: Request) -> Response:
    if request.method != "GET" or "hx-request" in request.headers:
        return go_to(request, "/login")
    query = f"?{request.url.query}" if request.url.query else ""
    return go_to(request, f"/login?next={quote(request.url.path + query, safe='')}")
