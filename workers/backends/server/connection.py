"""HTTP calls to an API server: its key, what is tried again, and its errors as Waybill's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from tasks.errors import UnknownBatch, UsageError
from workers.errors import ServerError

#: seconds before the second, third … try of a call that may be tried again; a `retry-after` outranks them
_PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
_MAX_PAUSE_S = 60.0
_TIMEOUT = httpx.Timeout(120.0, connect=10.0)
#: what may be over in a moment; a 429 says when
_TRANSIENT: Final = frozenset({429, 500, 502, 503, 504})


class NotThere(UsageError):
    """The server has nothing at a path: a 404."""


class Connection:
    """A connection to one server with one key; neither its text nor its errors show the key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = base_url(url)
        headers = {"authorization": f"Bearer {_checked(key)}", "user-agent": "waybill-python"}
        #: a server that has never answered is a wrong address rather than one that starts again
        self._has_answered = False
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=_TIMEOUT)

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON at a path."""
        return self.call("GET", path, params=params)

    def post(self, path: str, **options: Any) -> Any:
        """Return the JSON that a POST is answered with."""
        return self.call("POST", path, **options)

    def call(self, method: str, path: str, *, repeats: bool = True, **options: Any) -> Any:
        """Return the JSON that a call is answered with.

        Args:
            method: The method.
            path: The path below `/v1`.
            repeats: Whether the call may be made again where its answer was lost or is a passing error.
            options: Arguments of httpx.

        Raises:
            UnknownBatch, UsageError: The server refuses the call.
            ServerError: It cannot be reached, or fails.
        """
        return self._answer(self._tried(lambda: self._http.request(method, path, **options), repeats))

    @contextmanager
    def lines(self, path: str) -> Iterator[Iterator[bytes]]:
        """Open the lines of a file, as they come; opening it is tried again as a call is.

        Raises:
            NotThere, UsageError: The server refuses the call.
            ServerError: It cannot be reached, or fails.
        """
        request = self._http.build_request("GET", path)
        with closing(self._tried(lambda: self._http.send(request, stream=True), repeats=True)) as response:
            try:
                if response.status_code >= 400:
                    response.read()
                    self._answer(response)
                yield _split(response.iter_bytes())
            except httpx.HTTPError as error:
                raise self._unreachable(error) from None

    def _tried(self, send: Callable[[], httpx.Response], repeats: bool) -> httpx.Response:
        """Return the last response of as many tries as are needed and allowed."""
        for pause in (*(_PAUSES if repeats else ()), None):
            try:
                response = send()
            except httpx.HTTPError as error:
                if pause is None or not self._has_answered:
                    raise self._unreachable(error) from None
            else:
                self._has_answered = True
                if pause is None or not _passes(response):
                    return response
                response.close()
                pause = min(_retry_after(response) or pause, _MAX_PAUSE_S)
            time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _unreachable(self, error: httpx.HTTPError) -> ServerError:
        return ServerError(f"the API server at {self.url} does not answer: {type(error).__name__}")

    def _answer(self, response: httpx.Response) -> Any:
        if response.status_code < 400:
            return self._json(response)
        said = _error_of(response)
        if response.status_code >= 500 or said is None:
            raise ServerError(f"the API server at {self.url} answers {response.status_code}")
        if response.status_code == 401:
            raise UsageError(f"key= is not valid at {self.url}: `waybill keys create NAME` there prints one")
        missing = _missing_batch(response)
        if missing is not None:
            raise UnknownBatch(missing)
        raise NotThere(said) if response.status_code == 404 else UsageError(said)

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError:
            raise ServerError(f"{self.url} answers no JSON: is it the address of `waybill api`?") from None


def base_url(url: str) -> str:
    """Return the address of the API, which ends in `/v1`.

    Raises:
        UsageError: It is no http or https URL, or holds a user, a password or a query.
    """
    if not isinstance(url, str) or not _is_address(url):
        raise UsageError("url is the address of an API server, such as https://waybill.example.com")
    return url.rstrip("/").removesuffix("/v1") + "/v1"


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError where it is no number
    except ValueError:
        return False
    is_plain = parts.username is None and not parts.query and not parts.fragment
    return parts.scheme in ("http", "https") and bool(parts.hostname) and is_plain


def _split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines in chunks, without their ends; only a line feed ends one: answers may hold U+2028."""
    begun: list[bytes] = []
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        begun.append(first)
        for part in others:
            yield b"".join(begun)
            begun = [part]
    if last := b"".join(begun):
        yield last


def _checked(key: str) -> str:
    """Return a key without space around it; raises UsageError, which does not show it, for what is none."""
    text = key.strip() if isinstance(key, str) else ""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise UsageError("key is no key of an API server: `waybill keys create NAME` prints one")
    return text


def _missing_batch(response: httpx.Response) -> str | None:
    """Return the id of the batch in the path of a 404."""
    _, found, rest = response.request.url.path.partition("/batches/")
    return rest.partition("/")[0] if found and response.status_code == 404 else None


def _passes(response: httpx.Response) -> bool:
    return response.status_code in _TRANSIENT and response.headers.get("x-should-retry") != "false"


def _retry_after(response: httpx.Response) -> float | None:
    try:
        return float(response.headers.get("retry-after", ""))
    except ValueError:
        return None


def _error_of(response: httpx.Response) -> str | None:
    """Return the message of an error in OpenAI's shape; None for anything else."""
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return None
