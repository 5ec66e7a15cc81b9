"""Whether the Redis user of a worker may do what its role needs, in one round trip that changes nothing.

`ACL DRYRUN` needs Redis 7, and a right to it. Here a command of each kind is sent, on keys that hold nothing
or with members that nobody has; what the user may not do is refused before Redis looks at the key.

What cannot be asked without a change is not: whether it may put messages into a queue and take them, hold
`unacked_mutex`, use its channels, and send what a script sends.
"""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from tasks.connections import redis_clients

#: how Redis refuses a process; any other error may pass: it loads its data, or it cannot save them
REFUSALS = (AuthenticationError, NoPermissionError)
_TIMEOUT_S = 2.0
_MEMBER = "waybill.rights"
#: what kombu needs of every worker that takes tasks
_CELERY = (
    f"HDEL unacked {_MEMBER}",
    f"ZREM unacked_index {_MEMBER}",
    f"SREM _kombu.binding.{_MEMBER} {_MEMBER}",
    f"RPOP _kombu.binding.{_MEMBER}",
    f"EXPIRE _kombu.binding.{_MEMBER} 1",
)
_VECTORS = (f"GET vec:{_MEMBER}", f"DEL vec:{_MEMBER}")
_LIMITS = (f"ZCARD limit:{_MEMBER}", f"PTTL limit:{_MEMBER}", f"HGETALL limit:{_MEMBER}", "EVAL return 0")
_OF_ROLE = {
    "embed": (*_CELERY, *_VECTORS),
    "route": (*_CELERY, *_VECTORS),
    "judge": _CELERY,
    "dispatch": (*_CELERY, *_LIMITS),
    "flower": ("LLEN embed", "LLEN judge", f"SMEMBERS _kombu.binding.{_MEMBER}", f"HGET unacked {_MEMBER}"),
    "upkeep": (
        "LLEN embed",
        "LLEN judge",
        f"SMEMBERS _kombu.binding.{_MEMBER}",
    ),
}


def refused_command(client: Redis, role: str, queues: Sequence[str]) -> str | None:
    """Return a command that this user may not send and a role needs; None if it may send all.

    Args:
        client: A client of Redis.
        role: The role.
        queues: The queues that it reads or writes.

    Raises:
        RedisError, OSError: Redis does not let the user in (`REFUSALS`), or does not answer.
    """
    commands = [*(f"LLEN {queue}" for queue in queues), *_OF_ROLE[role]]
    with client.pipeline(transaction=False) as pipeline:
        for command in commands:
            pipeline.execute_command(command)  # type: ignore[no-untyped-call]
        replies = pipeline.execute(raise_on_error=False)
    answered = zip(commands, replies, strict=True)
    return next((command for command, reply in answered if isinstance(reply, NoPermissionError)), None)


class RightsCheck:
    """Looks from time to time whether a running worker still may do what its role needs."""

    def __init__(self, url: str, role: str, queues: Sequence[str]) -> None:
        self._client = redis_clients.connect(url, timeout_s=_TIMEOUT_S)
        self._role, self._queues = role, queues
        self._is_refused = False

    def look(self) -> bool:
        """Ask, and return whether Redis refuses the worker; what it said last while it does not answer."""
        try:
            self._is_refused = refused_command(self._client, self._role, self._queues) is not None
        except REFUSALS:  # its password was changed, or its user is gone
            self._is_refused = True
        except (RedisError, OSError):
            pass
        return self._is_refused
