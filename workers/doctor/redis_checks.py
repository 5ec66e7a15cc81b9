"""The checks of Redis, and of the Sentinels that name its master."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from tasks.connections.redis_url import SentinelUrl
from tasks.settings import Settings
from workers.doctor.finding import Finding, Level

_TIMEOUT_S = 3.0
#: fewer cannot agree after one of them is lost
_MIN_SENTINELS = 3


def redis(settings: Settings) -> Iterator[Finding]:
    """Check the server that workers use, and who watches it."""
    if settings.redis.url is None:
        yield _none(settings)
        return
    if sentinels := SentinelUrl.parse(settings.redis.url):
        yield from _sentinels(sentinels)
    yield from _server(settings.redis.url)


def _none(settings: Settings) -> Finding:
    """Return what it means that no Redis is named; at a store that others serve, nothing is wrong."""
    from tasks.store.engine import Store
    from tasks.store.health.workers import lacks_stack

    if not settings.store_url.startswith("sqlite"):
        text = "none configured here: to submit and read, the store is enough; workers need theirs"
        return Finding("redis", Level.OK, text)
    store = Store(settings.store_url)
    try:
        with store.read() as connection:
            served = not lacks_stack(connection)
    except SQLAlchemyError:  # the check of the store has reported it
        served = False
    finally:
        store.close()
    if served:
        return Finding("redis", Level.OK, "none configured here, and workers are alive at the store")
    return Finding(
        "redis", Level.WARN, "none configured, no stack runs here", f"start one with {settings.stack_command}"
    )


def _server(url: str) -> Iterator[Finding]:
    from redis import RedisError

    from tasks.connections import redis_clients

    with redis_clients.connect(url, timeout_s=_TIMEOUT_S) as client:
        try:
            client.ping()
            server = _unless_refused(client.info)
            policy = _unless_refused(lambda: client.config_get("maxmemory-policy"))
        except RedisError as error:
            yield Finding(
                "redis", Level.FAIL, f"does not answer: {type(error).__name__}", "check [redis] url"
            )
            return
    yield from _seen(server, policy)


def _unless_refused(read: Callable[[], Any]) -> dict[str, Any] | None:
    """Return what a command reads; None where this user may not send it or it does not exist."""
    from redis import ResponseError

    try:
        found: dict[str, Any] = read()
    except ResponseError:
        return None
    return found


def _seen(server: dict[str, Any] | None, policy: dict[str, Any] | None) -> Iterator[Finding]:
    if server is None:
        yield Finding("redis", Level.OK, "answers")
    else:
        used = server["used_memory_human"]
        yield Finding("redis", Level.OK, f"version {server['redis_version']}, {used} used")
    commands = {"INFO": server, "CONFIG GET": policy}
    if refused := [name for name, found in commands.items() if found is None]:
        text = f"this user may not send {' and '.join(refused)}: its settings are not checked"
        yield Finding("redis", Level.WARN, text, "the user `cli` of deploy/redis/users.acl may")
    if policy is not None and (name := policy.get("maxmemory-policy")) != "noeviction":
        yield Finding("redis", Level.WARN, f"maxmemory-policy is {name}", "set it to noeviction")
    if server is not None and not server.get("aof_enabled"):
        yield Finding(
            "redis", Level.WARN, "no append-only file", "set appendonly yes: restarts are then quick"
        )


def _sentinels(url: SentinelUrl) -> Iterator[Finding]:
    states = {f"{host}:{port}": _state(url, host, port) for host, port in url.sentinels}
    answers = [state for state in states.values() if not isinstance(state, str)]
    for address, state in states.items():
        if isinstance(state, str):
            text = f"Sentinel {address} knows no master {url.master!r}: {state}"
            yield Finding("sentinel", Level.WARN, text, "check [redis] url and that Sentinel")
    if answers:
        yield from _known(url.master, answers[0])


def _state(url: SentinelUrl, host: str, port: int) -> dict[str, Any] | str:
    """Return what a Sentinel knows of the master, or the class of its error."""
    from redis import Redis, RedisError
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    from tasks.connections import redis_clients

    options = redis_clients.sentinel_options(url)
    with Redis(host, port, retry=Retry(NoBackoff(), 0), **options) as client:
        try:
            state: dict[str, Any] = client.sentinel_master(url.master)
        except RedisError as error:
            return type(error).__name__
    return state


def _known(master: str, state: dict[str, Any]) -> Iterator[Finding]:
    replicas, sentinels = state["num-slaves"], state["num-other-sentinels"] + 1
    address = f"{state['ip']}:{state['port']}"
    text = f"master {master} is {address}, with {replicas} replicas and {sentinels} Sentinels"
    yield Finding("sentinel", Level.OK, text)
    if not replicas:
        yield Finding("sentinel", Level.WARN, f"{master} has no replica", "nothing could take over from it")
    if sentinels < _MIN_SENTINELS:
        advice = "three on three hosts agree although one is lost"
        yield Finding("sentinel", Level.WARN, f"{sentinels} Sentinels watch {master}", advice)
