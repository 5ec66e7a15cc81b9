"""Locations of files: paths of this machine, and URLs whose secrets no message shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from tasks.connections.credentials import HIDDEN, may_show_password

#: the schemes of URLs that are read and written (`http` and `https` only read)
SCHEMES = ("s3", "gs", "az", "hf", "https", "http", "memory")
_READ_ONLY = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file behind a URL; as text it shows neither user, password nor query, which may hold keys."""

    url: str = field(repr=False)

    @property
    def scheme(self) -> str:
        """The URL's scheme, in lower case."""
        return self.url.partition("://")[0].lower()

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(unquote(urlsplit(self.url).path)).name

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can be written there."""
        return self.scheme in _READ_ONLY

    def __str__(self) -> str:
        if may_show_password(self.url):
            return f"{self.scheme}://{HIDDEN}"
        parts = urlsplit(self.url)
        user, at, host = parts.netloc.rpartition("@")
        shown = f"{self.scheme}://{HIDDEN + at if user else ''}{host}{parts.path}"
        return f"{shown}?{HIDDEN}" if parts.query else shown


Location: TypeAlias = Path | RemoteFile


def location_of(text: str | Path) -> Location:
    """Return the location that a text names: a URL of a known scheme, else a path."""
    if isinstance(text, str) and is_url(text):
        return RemoteFile(text)
    return Path(text)


def is_url(text: str) -> bool:
    """Return whether a text is a URL of a known scheme, without white space."""
    scheme, mark, rest = text.partition("://")
    return bool(mark and rest) and scheme.lower() in SCHEMES and text.split() == [text]


def full_name(location: Location) -> str:
    """Return the location for people, a path as an absolute one."""
    return str(location.absolute()) if isinstance(location, Path) else str(location)
