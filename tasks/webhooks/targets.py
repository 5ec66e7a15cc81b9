"""Targets of webhooks: an operator's URL and the secret that signs what is sent there."""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tasks.errors import SettingsError, UsageError
from tasks.settings import Settings
from tasks.store.api import audit, keys, webhooks
from tasks.store.engine import Store

_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Target:
    """Where events are sent; as text it shows no secret."""

    url: str
    secret: str = field(repr=False)


def of_settings(settings: Settings) -> Target | None:
    """Return the target of all batches; raises SettingsError for a URL without a usable secret."""
    if settings.api.webhook_url is None:
        return None
    secret = secret_of(settings)
    if secret is None:
        raise SettingsError(f"[api] webhook_url needs a secret in {settings.api.webhook_secret_env}")
    return Target(settings.api.webhook_url, secret)


def secret_of(settings: Settings) -> str | None:
    """Return the secret that signs webhooks and manifests, or None; raises SettingsError for a wrong one."""
    secret = os.environ.get(settings.api.webhook_secret_env)
    if secret and not _is_secret(secret):
        raise SettingsError(f"{settings.api.webhook_secret_env} must be `whsec_` and base64")
    return secret or None


def _is_secret(text: str) -> bool:
    """Return whether all receivers take this text for the same secret: without `whsec_` they differ."""
    try:
        return text.startswith(_PREFIX) and bool(base64.b64decode(text.removeprefix(_PREFIX), validate=True))
    except ValueError:
        return False


def set_for_key(store: Store, name: str, url: str) -> Target:
    """Name the target of a key, with a new secret; raises UsageError for no such key or no URL of HTTP."""
    host = _host_of(url)
    target = Target(url, f"{_PREFIX}{base64.b64encode(secrets.token_bytes(32)).decode()}")
    with store.write() as connection:
        key_id = keys.find(connection, name).id
        webhooks.set_target(connection, key_id, target.url, target.secret)
        audit.note(connection, "webhook.set", key_id, owner=key_id, actor=audit.OPERATOR, host=host)
    return target


def _host_of(url: str) -> str:
    """Return the host of a URL of http or https; raises UsageError for any other text."""
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and parts.port != 0 and url.encode()
    except ValueError:  # of the port, of an address in brackets, or of a character
        is_url = False
    if not is_url or not parts.hostname:
        raise UsageError("a webhook's target is a URL of http or https")
    return parts.hostname


def remove_for_key(store: Store, name: str) -> None:
    """Announce the ends of a key's batches to it no longer; raises UsageError for no such key."""
    with store.write() as connection:
        key_id = keys.find(connection, name).id
        webhooks.remove_target(connection, key_id)
        audit.note(connection, "webhook.remove", key_id, owner=key_id, actor=audit.OPERATOR)
