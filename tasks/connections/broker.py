"""The Celery transports: kombu's for Redis and Sentinel, which here drop items that they cannot decode.

They also keep what kombu makes anew for each command.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

from kombu import transport as transports
from kombu.transport import redis

from tasks.connections import redis_clients
from tasks.connections.redis_url import SentinelUrl

logger = logging.getLogger(__name__)

#: the value of the Celery setting `broker_transport` for one server
TRANSPORT = "tasks.connections.broker:Transport"
#: raised while decoding an item that is not JSON, not an object, or has no message properties
_DECODING_ERRORS = (ValueError, TypeError, KeyError, AttributeError)


class _DropsItems:
    """Drops undecodable items; kombu's own channels would raise out of the worker's loop and end it."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]
        except _DECODING_ERRORS as error:
            # Only the class is logged: the error's text may quote the item, which may hold anything.
            logger.warning("a queue held something that is no message: dropped (%s)", type(error).__name__)
            return True


class _KeepsClient:
    """Keeps the client of a pool of connections: making one for each command takes longer than a command."""

    _kept: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[misc]
        if self._kept is None or self._kept.connection_pool is not self.pool:  # type: ignore[attr-defined]
            self._kept = super()._create_client()  # type: ignore[misc]
        return self._kept


class Channel(_DropsItems, _KeepsClient, redis.Channel):
    """A channel to one server."""


class Transport(redis.Transport):
    """kombu's Redis transport with `Channel`."""

    Channel = Channel


class SentinelChannel(_DropsItems, _KeepsClient, redis.SentinelChannel):
    """A channel to the master that Sentinels name."""


class SentinelTransport(redis.SentinelTransport):
    """kombu's transport for Sentinels with `SentinelChannel`."""

    Channel = SentinelChannel


def settings_of(url: str) -> dict[str, Any]:
    """Return the Celery settings that name this broker."""
    if (found := SentinelUrl.parse(url)) is None:
        return {"broker_url": url, "broker_transport": TRANSPORT}
    # By its alias: at the next Sentinel kombu takes the transport that its URL names, not one that is set.
    transports.TRANSPORT_ALIASES["sentinel"] = "tasks.connections.broker:SentinelTransport"
    return {
        "broker_url": ";".join(_broker_urls(found)),
        "broker_use_ssl": _tls(found),
        "broker_transport_options": {
            "master_name": found.master,
            "sentinel_kwargs": redis_clients.sentinel_options(found),
        },
    }


def _broker_urls(url: SentinelUrl) -> list[str]:
    parts = urlsplit(url.server_url)
    user = parts.netloc.rpartition("@")
    return [
        f"sentinel://{user[0]}{user[1]}{f'[{host}]' if ':' in host else host}:{port}{parts.path}"
        for host, port in url.sentinels
    ]


def _tls(url: SentinelUrl) -> dict[str, Any] | None:
    options = redis_clients.server_options(url)
    return (
        {name: value for name, value in options.items() if name.startswith("ssl_")} if url.uses_tls else None
    )
