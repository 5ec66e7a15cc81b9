"""The page's scripts, styles and pictures: they are part of the package, and browsers keep them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_TYPES: Mapping[str, str] = MappingProxyType({
    "page.css": "text/css",
    "page.js": "text/javascript",
    "charts.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "vendor/htmx.min.js": "text/javascript",
    "vendor/htmx-ext-sse.min.js": "text/javascript",
    "vendor/uPlot.iife.min.js": "text/javascript",
    "vendor/uPlot.min.css": "text/css",
})  # fmt: skip
#: a file of another content has another URL
_KEPT = "public, max-age=31536000, immutable"


def static_url(name: str) -> str:
    """Return the URL of a file."""
    return f"/static/{_read(name)[1]}/{name}"


async def static_file(request: Request) -> Response:
    """Return a file; none but those that are named here."""
    name, digest = request.path_params["name"], request.path_params["digest"]
    if name not in _TYPES or digest != _read(name)[1]:
        raise HTTPException(404)
    headers = {"cache-control": _KEPT, "cross-origin-resource-policy": "same-origin"}
    return Response(_read(name)[0], 200, headers, _TYPES[name])


@cache
def _read(name: str) -> tuple[bytes, str]:
    content = files("workers.page").joinpath("static", name).read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:16]
