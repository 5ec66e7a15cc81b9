"""Clients of Redis by its URL: of one server, or of the master that Sentinels name."""

from __future__ import annotations

from typing import Any

from redis import Redis, asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel

from tasks.connections.redis_url import SentinelUrl

#: How long a Sentinel may take: the next one is asked then.
SENTINEL_TIMEOUT_S = 2.0


def connect(url: str, *, timeout_s: float, connect_timeout_s: float | None = None) -> Redis:
    """Return a client, which connects when it is first used."""
    timeouts = _timeouts(timeout_s, connect_timeout_s)
    if (found := SentinelUrl.parse(url)) is None:
        return Redis.from_url(url, **timeouts)
    client: Redis = _of_master(found, Sentinel, Retry(NoBackoff(), 0), timeouts)
    return client


def connect_async(url: str, *, timeout_s: float, connect_timeout_s: float | None = None) -> asyncio.Redis:
    """Return an asynchronous client, which connects when it is first used."""
    timeouts = _timeouts(timeout_s, connect_timeout_s)
    if (found := SentinelUrl.parse(url)) is None:
        return asyncio.Redis.from_url(url, **timeouts)
    client: asyncio.Redis = _of_master(found, AsyncSentinel, AsyncRetry(NoBackoff(), 0), timeouts)
    return client


def _of_master(url: SentinelUrl, sentinel: Any, retry: object, timeouts: dict[str, Any]) -> Any:
    """Return a client of redis-py's class `sentinel`, which has no types; no Sentinel is asked twice."""
    found = sentinel(url.sentinels, sentinel_kwargs={**sentinel_options(url), "retry": retry})
    return found.master_for(url.master, **(timeouts | server_options(url)))


def server_options(url: SentinelUrl) -> dict[str, Any]:
    """Return redis-py's options of a connection to the master: database, user, password, TLS."""
    options: dict[str, Any] = parse_url(url.server_url)  # type: ignore[no-untyped-call]
    for name in ("host", "port", "connection_class"):
        options.pop(name, None)
    return {**options, "ssl": True} if url.uses_tls else options


def sentinel_options(url: SentinelUrl) -> dict[str, Any]:
    """Return redis-py's options of a connection to a Sentinel."""
    tls = {name: value for name, value in server_options(url).items() if name.startswith("ssl")}
    return {**tls, **url.credentials, **_timeouts(SENTINEL_TIMEOUT_S, None)}


def _timeouts(timeout_s: float, connect_timeout_s: float | None) -> dict[str, Any]:
    return {"socket_timeout": timeout_s, "socket_connect_timeout": connect_timeout_s or timeout_s}
