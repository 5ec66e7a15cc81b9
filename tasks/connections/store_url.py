"""URLs of the database: with several hosts, and as they are shown."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from sqlalchemy.engine import URL, make_url

from tasks.connections import host_lists
from tasks.connections.credentials import HIDDEN, are_clear


def with_hosts_apart(url: str) -> str:
    """Return a URL with several hosts, as libpq reads them, as SQLAlchemy reads it; any other one as it is.

    Of several hosts, the one that takes writes is used, unless the URL says otherwise.
    """
    if not host_lists.names_several(url):
        return url
    parts = host_lists.split(url)
    query = {
        "target_session_attrs": "read-write",
        **dict(parse_qsl(parts.query)),
        "host": ",".join(host for host, _ in parts.hosts),
        "port": ",".join(str(port or "") for _, port in parts.hosts),
    }
    return f"{parts.scheme}://{parts.user}{parts.path}?{urlencode(query)}"


def shown_store(url: str | URL) -> str:
    """Return a URL of the database without its password, and without all of its query but hosts and ports.

    A password may stand in the query, too. Where it cannot be told from the host, neither is shown.
    """
    if isinstance(url, str) and not are_clear(url):
        return f"{url.partition('://')[0]}://{HIDDEN}"
    parsed = make_url(with_hosts_apart(url) if isinstance(url, str) else url)
    hosts = {name: value for name, value in parsed.query.items() if name in ("host", "port")}
    return parsed.set(query=hosts).render_as_string(hide_password=True)
