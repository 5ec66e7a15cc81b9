"""User and password in a URL: whether every reader finds their end, and what may be shown of the URL."""

from __future__ import annotations

import re

#: what a URL shows in place of a user, a password, or all that may hold them
HIDDEN = "***"
#: what is wrong with a URL whose credentials are not clear; it quotes none of it
UNCLEAR = (
    "its user and password cannot be told from its host: "
    "in them, write @ : / ? # % as %40 %3A %2F %3F %23 %25"
)


def are_clear(url: str) -> bool:
    """Return whether a URL's user and password end at its only @, or it has none.

    Readers disagree about any other @: SQLAlchemy ends a password at the first, urllib at the last one before
    a slash. What follows there is taken for the host, and so reaches errors and logs. A file of SQLite has no
    password, and its path may hold an @.
    """
    credentials, _, _ = url.partition("://")[2].rpartition("@")
    return url.startswith("sqlite") or not re.search("[@/?#]", credentials)


def may_show_password(url: str) -> bool:
    """Return whether a file's URL, whose path may hold an @, could show a password as its host or path."""
    authority = re.split("[/?#]", url.partition("://")[2], maxsplit=1)[0]
    return not are_clear(url) and any(sign in authority for sign in ":@")
