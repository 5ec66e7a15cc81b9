"""Responses of the page: templates that escape what they show, and headers that forbid foreign parts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from workers.page import formats
from workers.page.static_files import static_url

#: no inline script or style, and nothing of another host
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_TITLES = {404: "Not found", 405: "Not allowed", 408: "It failed for now"}
HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    # Not no-referrer: then browsers would hide from us which page a form comes from.
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}


def html(template: str, *, status: int = 200, **values: Any) -> Response:
    """Return a page made of a template; half a surrogate pair, which UTF-8 lacks, is a question mark."""
    return HTMLResponse(text(template, **values).encode(errors="replace"), status, dict(HEADERS))


def failed(status: int, message: str) -> Response:
    """Return the page of a request that failed, or was refused before it was looked at."""
    title = _TITLES.get(status, "It failed for now" if status >= 500 else "That did not work")
    return html("error.html", status=status, session=None, title=title, message=message)


def text(template: str, **values: Any) -> str:
    """Return what a template makes of these values."""
    return _environment().get_template(template).render(**values)


def go_to(request: Request, path: str) -> Response:
    """Return a response that lets the browser show another of our pages."""
    if "hx-request" in request.headers:  # a redirection would be followed out of htmx's sight
        return Response(status_code=200, headers={**HEADERS, "hx-redirect": path})
    return RedirectResponse(path, 303, dict(HEADERS))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("workers.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = ("money", "number", "share", "period", "moment", "machine_time", "size", "sentence")
    environment.filters.update({name: getattr(formats, name) for name in shown})
    environment.globals.update(static_url=static_url)
    return environment
