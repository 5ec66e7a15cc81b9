"""Whether a server answers at the `api_base` of each model: nothing else tells before the first call."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from tasks.providers.interface import OPENAI_PREFIX
from tasks.settings import ModelSettings, Settings
from workers.doctor.finding import Finding, Level

#: how long all servers together have to answer
_TIMEOUT_S = 3.0
#: the statuses of a proxy that did not reach a server
_OF_PROXIES = (502, 503, 504)
_ADVICE = "check its api_base, and that its server runs"


@dataclass(frozen=True, slots=True)
class _Address:
    """An `api_base`, and the key that calls send to it, if a check may send it, too."""

    base: str
    key: SecretStr | None


def addresses(settings: Settings) -> Iterator[Finding]:
    """Yield for each `api_base` whether a server answers there; all are asked at once.

    `GET {api_base}/models` costs nothing and has no prompt. A key goes along only where calls send it in the
    same header. Whatever a server answers, it is there; a 401 to such a key is the key's.
    """
    asked: dict[_Address, list[str]] = {}
    for model in settings.models:
        if model.api_base is not None:
            asked.setdefault(_address(model.api_base, model), []).append(model.name)
    found: dict[_Address, Finding] = {}
    # Not a pool, which a name server that does not answer would keep from ending.
    threads = [threading.Thread(target=_ask, args=(*one, found), daemon=True) for one in asked.items()]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + _TIMEOUT_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    for address, names in asked.items():
        yield found.get(address) or _silent(address, names, _no_answer())


def _address(base: str, model: ModelSettings) -> _Address:
    return _Address(base, model.api_key() if model.litellm.startswith(OPENAI_PREFIX) else None)


def _ask(address: _Address, names: Sequence[str], found: dict[_Address, Finding]) -> None:
    try:
        found[address] = _answered(address, names, _status(address))
    except Exception as error:  # a URL or a key of any text may raise anything, and is never shown
        found[address] = _silent(address, names, _cause(error))


def _answered(address: _Address, names: Sequence[str], status: int) -> Finding:
    shown, of = _shown(address.base), ", ".join(names)
    if status == 401 and address.key is not None:
        advice = "check what its api_key_env holds"
        return Finding("addresses", Level.WARN, f"{shown} refuses the key of {of} (401)", advice)
    return Finding("addresses", Level.OK, f"{shown} answers ({of})")


def _status(address: _Address) -> int:
    from yarl import URL

    from tasks.providers.connections import proxy_for

    key = None if address.key is None else address.key.get_secret_value()
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    url = f"{address.base.rstrip('/')}/models"
    # The way of calls, as a key must go nowhere else; `create_ssl_context` heeds $SSL_CERT_FILE.
    proxy, context = proxy_for(URL(url)), httpx.create_ssl_context()
    client = httpx.Client(proxy=proxy, trust_env=False, verify=context, timeout=_TIMEOUT_S)
    # Streamed: a list of models may be long, and nothing of it is needed.
    with client, client.stream("GET", url, headers=headers) as response:
        if proxy and response.status_code in _OF_PROXIES:
            raise _ProxyError(response.status_code)
        return response.status_code


class _ProxyError(Exception):
    """A status with which a proxy says that it did not reach the server."""


def _silent(address: _Address, names: Sequence[str], cause: str) -> Finding:
    return Finding("addresses", Level.WARN, f"{', '.join(names)}: {_shown(address.base)} {cause}", _ADVICE)


def _cause(error: BaseException | None) -> str:
    """Return in words why a server did not answer, without its error's text, which may quote the URL."""
    kind = type(error).__name__
    while error is not None:
        if isinstance(error, socket.gaierror):
            return "has a name that is not known"
        if isinstance(error, ssl.SSLError):
            return f"has no valid TLS ({error.reason or 'failed'})"
        if isinstance(error, ConnectionRefusedError):
            return "refuses connections"
        if isinstance(error, httpx.TimeoutException):
            return _no_answer()
        if isinstance(error, _ProxyError):
            return f"is not reached through the proxy ({error})"
        error = error.__cause__ or error.__context__
    return f"cannot be asked ({kind})"


def _no_answer() -> str:
    return f"does not answer within {_TIMEOUT_S:g} s"


def _shown(base: str) -> str:
    """Return an address without what may hold a secret: its user, password, path and query."""
    try:
        parts = urlsplit(base)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return "its api_base"
    if not parts.hostname:
        return "its api_base, no http or https URL,"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}"
