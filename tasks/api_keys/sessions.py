"""Logins of browsers: a key is given once; the cookie is another secret, which is stored as a hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from tasks.api_keys.keys import owner_of
from tasks.api_keys.secrets import parse, secret_hash
from tasks.store.api.keys import Key
from tasks.store.engine import Store
from tasks.store.page import sessions

#: a working day
LASTS_S = 12 * 3600.0
_BYTES = 32
_MAX_TOKEN = 64


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is logged in.

    Attributes:
        key: Whose pages it may see.
        token: What its cookie holds.
    """

    key: Key
    token: str = field(repr=False)

    @property
    def form_token(self) -> str:
        """What each form that changes something holds: pages of other sites cannot know it."""
        return hmac.new(self.token.encode(), b"waybill form", hashlib.sha256).hexdigest()

    def is_own_form(self, given: str) -> bool:
        """Return whether a form came from a page of this session."""
        return hmac.compare_digest(self.form_token.encode(), given.encode())


def log_in(store: Store, text: str) -> Session | None:
    """Begin a session with a key's text; None for a text that opens nothing."""
    key, parsed = owner_of(store, text), parse(text)
    if key is None or parsed is None:
        return None
    token = secrets.token_urlsafe(_BYTES)
    with store.write() as connection:
        sessions.begin(connection, secret_hash(token), key.id, secret_hash(parsed[1]), lasts_s=LASTS_S)
    return Session(key, token)


def session_of(store: Store, token: str) -> Session | None:
    """Return the session with this token; None where there is none any more."""
    if not token or len(token) > _MAX_TOKEN:
        return None
    with store.read() as connection:
        key = sessions.key_of(connection, secret_hash(token))
    return None if key is None else Session(key, token)


def log_out(store: Store, session: Session) -> None:
    """End a session."""
    with store.write() as connection:
        sessions.end(connection, secret_hash(session.token))
