"""Redis watched by Sentinels: every client finds the master, and its successor."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest
from celery import Celery
from redis import Redis, RedisError

from tasks.app import create_app, queue_of
from tasks.connections import redis_clients
from tasks.limits import Limits, RedisLimiter
from tasks.settings import RedisSettings, Settings
from tasks.stages.vector_store import VectorStore
from tasks.store.outbox import Message
from tasks.upkeep.publisher import Publisher
from tests.support.sentinels import PASSWORD, SENTINEL_PASSWORD, SentinelRedis
from tests.support.waiting import wait_until
from workers.doctor import redis_checks
from workers.doctor.finding import Level

QUEUE = "embed"
WAIT_S = 240.0


@pytest.fixture
def redis() -> Iterator[SentinelRedis]:
    with SentinelRedis() as started:
        yield started


def settings_of(redis: SentinelRedis) -> Settings:
    return Settings(redis=RedisSettings(url=redis.url))


def test_messages_permits_and_vectors_go_to_the_successor_of_a_master_that_died(redis: SentinelRedis) -> None:
    settings = settings_of(redis)
    assert granted(redis.url) == 1
    app = create_app(settings)
    publisher = Publisher(app, settings)
    client = redis_clients.connect(redis.url, timeout_s=5)
    publish(publisher, 1)
    redis.kill_sentinel(0)  # the first that everybody asks
    redis.first.kill()
    redis.await_master(redis.second)
    wait_until(lambda: succeeds(publisher, 2), timeout_s=WAIT_S)
    assert wait_until(lambda: waiting(publisher), timeout_s=WAIT_S) >= 1
    assert 2 in received(app, publisher)
    vectors = VectorStore(client)
    wait_until(lambda: pings(client), timeout_s=WAIT_S)
    vectors.put(7, 1, np.ones((2, 4), dtype=np.float32), "ab" * 32)
    assert vectors.get(7, 1, "ab" * 32) is not None
    assert granted(redis.url) == 1
    with redis.second.client() as second:
        assert second.keys("vec:*")
        assert second.keys("limit:m:*")


def test_doctor_names_the_master_and_what_could_not_take_over(redis: SentinelRedis) -> None:
    found = list(redis_checks.redis(settings_of(redis)))
    assert [finding.level for finding in found] == [Level.OK, Level.OK]
    assert f"is 127.0.0.1:{redis.first.port}, with 1 replicas and 3 Sentinels" in found[0].text

    redis.kill_sentinel(1)
    found = list(redis_checks.redis(settings_of(redis)))
    assert [finding.level for finding in found] == [Level.WARN, Level.OK, Level.OK]
    assert "ConnectionError" in found[0].text

    other = redis.url.replace("/waybill/", "/another/")
    found = list(redis_checks.redis(Settings(redis=RedisSettings(url=other))))
    assert [finding.level for finding in found] == [Level.WARN] * 3 + [Level.FAIL]
    assert PASSWORD not in repr(found)
    assert SENTINEL_PASSWORD not in repr(found)


def granted(url: str) -> int:
    """Ask for a permit, as a dispatch process does; returns how many it got."""

    async def ask() -> int:
        async with redis_clients.connect_async(url, timeout_s=5) as client:
            grant = await RedisLimiter(client).acquire("m", Limits(max_concurrency=9), [1], lease_s=60)
            return len(grant.slot_ids)

    return asyncio.run(ask())


def publish(publisher: Publisher, chunk_id: int) -> None:
    publisher.publish([Message(chunk_id, 1, "embed", QUEUE)])


def succeeds(publisher: Publisher, chunk_id: int) -> bool:
    try:
        publish(publisher, chunk_id)
    except Exception:  # the relay goes on, too, whatever fails
        return False
    return True


def waiting(publisher: Publisher) -> int:
    try:
        return publisher.waiting([QUEUE])[QUEUE]
    except RedisError:
        return 0


def pings(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


def received(app: Celery, publisher: Publisher) -> list[int]:
    """The chunks of all messages that wait."""
    found: list[int] = []

    def take(body: list[list[int]], message: object) -> None:
        found.append(body[0][0])
        message.ack()  # type: ignore[attr-defined]

    expected = publisher.waiting([QUEUE])[QUEUE]
    with app.connection_for_read() as connection, connection.Consumer(queue_of(QUEUE), callbacks=[take]):
        while len(found) < expected:
            connection.drain_events(timeout=200)
    return found
