"""URLs that name several hosts, `SCHEME://USER:PASSWORD@HOST:PORT,HOST:PORT/PATH?QUERY`.

`urllib` reads one host: where another one is an IPv6 address, it refuses the URL on some Pythons.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

_URL = re.compile(
    r"(?P<scheme>[\w+.-]+)://(?P<user>[^/?]*@)?(?P<hosts>[^/?@]*)(?P<path>[^?]*)(?:\?(?P<query>.*))?",
    re.DOTALL,
)


class HostList(NamedTuple):
    """The parts of a URL; `user` ends in the @ that follows it, a port that is not given is None."""

    scheme: str
    user: str
    hosts: tuple[tuple[str, int | None], ...]
    path: str
    query: str


def names_several(url: str) -> bool:
    """Return whether this is a URL of several hosts."""
    found = _URL.fullmatch(url)
    return found is not None and "," in found["hosts"]


def split(url: str) -> HostList:
    """Take a URL apart.

    Raises:
        ValueError: It is no URL of this form, names no host, or has a port that is none.
    """
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError("it is no URL")
    hosts = tuple(_host(text) for text in found["hosts"].split(","))
    return HostList(found["scheme"], found["user"] or "", hosts, found["path"], found["query"] or "")


def _host(text: str) -> tuple[str, int | None]:
    # An IPv6 address is written in brackets, and connected to without.
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("it names no host")
    return parts.hostname, parts.port
