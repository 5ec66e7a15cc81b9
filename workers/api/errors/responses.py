"""Responses to requests that fail: `{"error": {message, type, param, code}}`, as OpenAI's clients read."""

from __future__ import annotations

import json
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from tasks.batch_api.errors import ApiError, Conflict, LimitReached, NotFound
from tasks.endpoints.registry import ENDPOINTS
from tasks.errors import UsageError

_VERSION = "/v1"
_INVALID = "invalid_request_error"
#: what clients do without being asked: not to try again what cannot succeed, and to wait for what may
_FINAL = {"x-should-retry": "false"}


class Unauthorized(ApiError):
    """A request without a key that opens the API."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="invalid_api_key")


class TooLarge(ApiError):
    """A body or a part of one that is larger than allowed."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message, code="request_too_large", param=param)


def error_body(message: str, *, type: str, code: str | None, param: str | None = None) -> dict[str, object]:
    """Return the body of an error."""
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


def error_bytes(status: int, message: str) -> bytes:
    """Return the body of an error outside of any handler."""
    code = HTTPStatus(status).phrase.lower().replace(" ", "_")
    return json.dumps(error_body(message, type=_type_of(status), code=code)).encode()


def refused(error: ApiError) -> Response:
    """Return the response to a request that is refused."""
    status, headers = _status_of(error), dict(_FINAL)
    if isinstance(error, LimitReached):
        headers = {"retry-after": f"{error.retry_after_s:.0f}"} if error.retry_after_s else {}
    if isinstance(error, Unauthorized):
        headers["www-authenticate"] = "Bearer"
    kind = "insufficient_quota" if error.code == "insufficient_quota" else _type_of(status)
    body = error_body(error.message, type=kind, code=error.code, param=error.param)
    return JSONResponse(body, status, headers)


def refused_usage(error: UsageError) -> Response:
    """Return the response to a call that the store refuses, such as one on deleted data."""
    return refused(ApiError(str(error)))


def of_http(error: HTTPException, path: str) -> Response:
    """Return the response to a path or a method that does not exist."""
    message = _no_path_text(path) if error.status_code == 404 else error.detail
    body = json.loads(error_bytes(error.status_code, message))
    return JSONResponse(body, error.status_code, {**(error.headers or {}), **_FINAL})


def failed(status: int = 500, message: str = "an error of the server") -> Response:
    """Return the response to a request that failed without its sender's fault; clients try again."""
    headers = {"retry-after": "1"} if status == 503 else {}
    return Response(error_bytes(status, message), status, headers, "application/json")


def _no_path_text(path: str) -> str:
    """Return that there is no such path, and what was probably wanted."""
    lacks_version = not f"{path}/".startswith(f"{_VERSION}/")
    if (f"{_VERSION}{path}" if lacks_version else path) in ENDPOINTS:
        return "no such path: this server answers batches: put the request into a file, see POST /v1/batches"
    return f"no such path: the API is under {_VERSION}" if lacks_version else "no such path"


def _status_of(error: ApiError) -> int:
    by_kind = ((NotFound, 404), (Conflict, 409), (LimitReached, 429), (Unauthorized, 401), (TooLarge, 413))
    return next((status for kind, status in by_kind if isinstance(error, kind)), 400)


def _type_of(status: int) -> str:
    by_status = {429: "rate_limit_error", 500: "server_error", 503: "server_error"}
    return by_status.get(status, _INVALID)
