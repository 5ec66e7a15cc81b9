"""The URL of Redis: that of one server, or of the Sentinels that know which server is the master."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from tasks.connections import host_lists
from tasks.connections.credentials import HIDDEN, are_clear

DEFAULT_PORT = 26379
_SERVER_SCHEMES = ("redis", "rediss", "unix")
_SENTINEL = "+sentinel"
#: parameters of a URL with Sentinels that are for these, by their names for redis-py
_FOR_SENTINELS = {"sentinel_username": "username", "sentinel_password": "password"}


@dataclass(frozen=True)
class SentinelUrl:
    """A URL `redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/MASTER/DATABASE?OPTIONS`, taken apart.

    `rediss+sentinel://` is TLS to the servers and to the Sentinels. User and password are the servers'.

    Attributes:
        sentinels: The hosts and ports of the Sentinels.
        master: The name under which they know the master.
        server_url: The URL of a server as redis-py reads it; its host stands for any.
        credentials: The user and password of the Sentinels themselves, as far as they are given.
    """

    sentinels: tuple[tuple[str, int], ...]
    master: str
    server_url: str = field(repr=False)
    credentials: dict[str, str] = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Self | None:
        """Take a URL apart; returns None for that of a server.

        Raises:
            ValueError: It names no host, no port that is one, no master, or no database that is a number.
        """
        if not url.partition("://")[0].endswith(_SENTINEL):
            return None
        parts = host_lists.split(url)
        master, _, database = parts.path.strip("/").partition("/")
        if not master:
            raise ValueError("it names no master")
        options = dict(parse_qsl(parts.query))
        credentials = {name: options.pop(key) for key, name in _FOR_SENTINELS.items() if key in options}
        sentinels = tuple((host, port or DEFAULT_PORT) for host, port in parts.hosts)
        scheme = parts.scheme.removesuffix(_SENTINEL)
        server_url = f"{scheme}://{parts.user}server/{int(database or 0)}?{urlencode(options)}"
        return cls(sentinels, master, server_url, credentials)

    def __str__(self) -> str:
        """Return the URL without users, passwords and options."""
        hosts = ",".join(f"{f'[{host}]' if ':' in host else host}:{port}" for host, port in self.sentinels)
        return f"redis{'s' if self.uses_tls else ''}+sentinel://{hosts}/{self.master}"

    @property
    def uses_tls(self) -> bool:
        """Whether servers and Sentinels are reached over TLS."""
        return self.server_url.startswith("rediss:")


def is_redis_url(url: str) -> bool:
    """Return whether this is a URL of a Redis server, or of Sentinels."""
    try:
        if SentinelUrl.parse(url) is not None:
            return url.startswith((f"redis{_SENTINEL}:", f"rediss{_SENTINEL}:"))
        urlsplit(url).port  # noqa: B018  (as redis-py reads it, it raises ValueError for what is no number)
    except ValueError:
        return False
    return url.startswith(tuple(f"{scheme}://" for scheme in _SERVER_SCHEMES))


def shown_redis(url: str) -> str:
    """Return a URL of Redis without its user and password, and without its host where that is not clear."""
    if not are_clear(url):
        return f"{url.partition('://')[0]}://{HIDDEN}"
    if sentinels := SentinelUrl.parse(url):
        return str(sentinels)
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    host = parts.hostname or "localhost"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{parts.port or 6379}{parts.path}"
