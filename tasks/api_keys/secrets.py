"""The text of a key: `sk-wb-<id>-<secret>`, of which the store keeps the id and a hash of the secret.

A secret has 256 random bits, so that a fast hash is enough: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from tasks.store.api.keys import Hashes

_PREFIX = "sk-wb-"
_FORM = re.compile(rf"{_PREFIX}([0-9a-f]{{16}})-([\w-]{{43}})", re.ASCII)
#: compared with where there is no such key, so that the answer takes as long
_NOBODY = Hashes(hashlib.sha256(b"nobody").hexdigest(), None)


def new_key_id() -> str:
    """Return the id of a new key."""
    return f"key_{secrets.token_hex(8)}"


def new_secret() -> str:
    """Return a new secret."""
    return secrets.token_urlsafe(32)


def key_text(key_id: str, secret: str) -> str:
    """Return what the owner of a key sends."""
    return f"{_PREFIX}{key_id.removeprefix('key_')}-{secret}"


def parse(text: str) -> tuple[str, str] | None:
    """Return the id and the secret of a key's text; None for another text."""
    match = _FORM.fullmatch(text)
    return (f"key_{match[1]}", match[2]) if match else None


def secret_hash(secret: str) -> str:
    """Return the hash of a secret that the store keeps."""
    return hashlib.sha256(secret.encode()).hexdigest()


def matches(secret: str, hashes: Hashes | None) -> bool:
    """Return whether this is the secret of a key, in the same time for any secret and key."""
    given, known = secret_hash(secret), hashes or _NOBODY
    is_current = hmac.compare_digest(given, known.current)
    is_previous = hmac.compare_digest(given, known.previous or known.current)
    return (is_current or is_previous) and hashes is not None
