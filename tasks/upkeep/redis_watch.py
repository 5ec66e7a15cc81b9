"""Upkeep's look at Redis: while it does not answer, the store says so to whoever asks for a batch."""

from __future__ import annotations

from redis.exceptions import AuthenticationError, RedisError, ResponseError

from tasks.connections.redis_clients import connect
from tasks.connections.redis_url import shown_redis
from tasks.store.engine import Store
from tasks.store.health import silent_redis

#: seconds between two looks
EVERY_S = 5.0
_TIMEOUT_S = 1.0


class RedisWatch:
    """Asks Redis whether it answers, and notes in the store when it does not."""

    def __init__(self, store: Store, url: str) -> None:
        self._store, self._address = store, shown_redis(url)
        self._redis = connect(url, timeout_s=_TIMEOUT_S)
        # What an upkeep process before this one noted may still be there.
        self._was_silent = True

    def look(self) -> None:
        """Ask once; what is noted already is repeated while it holds, and taken back once."""
        answers = self._answers()
        if answers and not self._was_silent:
            return
        note = silent_redis.note_answer if answers else silent_redis.note_silent
        with self._store.write() as connection:
            note(connection, self._address)
        self._was_silent = not answers

    def _answers(self) -> bool:
        try:
            self._redis.ping()
        except (AuthenticationError, ResponseError):  # a refusal is an answer
            return True
        except (RedisError, OSError):
            return False
        return True
