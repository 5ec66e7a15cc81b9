"""The check, before a worker starts, that the store and Redis let it in.

What refuses it (a password, a database that is not there) ends it at once. What does not answer may be about
to start: it is tried again for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tasks.connections.redis_url import shown_redis
from tasks.errors import SettingsError
from tasks.settings import Settings
from tasks.store.engine import Store
from tasks.store.schema import ensure_schema
from workers.worker.heartbeat import WorkerName

#: how long a service that does not answer is tried, and the pause between two tries
PATIENCE_S, PAUSE_S = 60.0, 1.0
_TIMEOUT_S = 5.0
_SEE = "see [redis] url or $WAYBILL_REDIS__URL"
#: what PostgreSQL says of a refusal that passes by itself
_PASSING = ("starting up", "shutting down", "recovery", "too many", "remaining connection slots")


class NoAnswerError(SettingsError):
    """A service that does not answer now, and may later."""


def open_services(
    settings: Settings, worker: WorkerName, *, notify: Callable[[str], None], patience_s: float = PATIENCE_S
) -> Store:
    """Return the store, whose tables are there, once it and Redis have let this process in.

    Raises:
        SettingsError: One of them refuses it, or does not answer for `patience_s`; the message names it and
            holds no password.
    """
    await_redis(settings.redis_url, worker.role, worker.queues, notify=notify, patience_s=patience_s)
    store = Store(settings.store_url, is_worker=True)
    try:
        _until_answered(lambda: check_store(store), notify, patience_s)
    except BaseException:
        store.close()
        raise
    return store


def await_redis(
    url: str,
    role: str,
    queues: Sequence[str] = (),
    *,
    notify: Callable[[str], None],
    patience_s: float = PATIENCE_S,
) -> None:
    """Return once Redis has let this process in; raises SettingsError as `open_services`."""
    _until_answered(lambda: check_redis(url, role, queues), notify, patience_s)


def check_redis(url: str, role: str, queues: Sequence[str] = ()) -> None:
    """Raise SettingsError if Redis refuses this process, NoAnswerError if it does not answer."""
    import redis

    from tasks.connections import redis_clients
    from workers.worker.redis_rights import REFUSALS, refused_command

    shown = shown_redis(url)
    try:
        with redis_clients.connect(url, timeout_s=_TIMEOUT_S) as client:
            client.ping()
            refused = refused_command(client, role, queues)
    except REFUSALS as error:
        # Its own words: that a user or password is wrong, or a command not allowed; never a password.
        raise SettingsError(f"Redis at {shown} refuses this process: {error}; {_SEE}") from None
    except (redis.RedisError, OSError) as error:
        # Redis says itself that it cannot save; of a command that it does not know it repeats the password.
        is_said = isinstance(error, redis.ResponseError)
        why = str(error).partition(", with args")[0] if is_said else type(error).__name__
        raise NoAnswerError(f"Redis at {shown} does not answer ({why}); {_SEE}") from None
    if refused is not None:
        raise SettingsError(
            f"Redis at {shown} refuses this process: its user may not send `{refused}`, which the "
            f"role {role} needs; is it the user of another role? {_SEE[0].upper()}{_SEE[1:]}"
        )


def check_store(store: Store) -> None:
    """Raise SettingsError if the store refuses this process, NoAnswerError if it does not answer."""
    try:
        ensure_schema(store)
    except SettingsError as error:
        if store.is_sqlite or ("FATAL" in str(error) and not any(text in str(error) for text in _PASSING)):
            raise
        if "cannot be opened" not in str(error):
            raise
        raise NoAnswerError(str(error)) from None


def _until_answered(check: Callable[[], None], notify: Callable[[str], None], patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    told = ""
    while True:
        try:
            check()
            return
        except NoAnswerError as error:
            if time.monotonic() >= deadline:
                raise
            if str(error) != told:
                told = str(error)
                notify(f"{told}; it is tried again for {patience_s:.0f} s")
        time.sleep(PAUSE_S)
