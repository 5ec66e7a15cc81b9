"""Messages in Redis: Waybill's own, those of another version, and those of other programs."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterator

import pytest
from celery import Celery
from kombu import Connection
from redis import Redis

from tasks.app import create_app, queue_of
from tasks.settings import RedisSettings, Settings
from tasks.stages.task_names import MESSAGE_VERSION, VERSION_HEADER
from tasks.store.outbox import Message
from tasks.upkeep.publisher import Publisher


@pytest.fixture
def app(redis_url: str) -> Iterator[Celery]:
    made = create_app(Settings(redis=RedisSettings(url=redis_url)))
    yield made
    made.close()


def test_messages_say_their_version_and_hold_two_ids(app: Celery, redis_url: str) -> None:
    queue = f"dispatch.{secrets.token_hex(4)}"
    Publisher(app, Settings(redis=RedisSettings(url=redis_url))).publish([Message(7, 3, "dispatch", queue)])
    with Redis.from_url(redis_url) as client:
        [item] = client.lrange(queue, 0, -1)
    headers = json.loads(item)["headers"]
    assert (headers[VERSION_HEADER], headers["argsrepr"]) == (MESSAGE_VERSION, "(7, 3)")


@pytest.mark.parametrize("name", ["embed", "route", "dispatch"])
@pytest.mark.parametrize("version", [MESSAGE_VERSION + 1, "two", None])
def test_a_message_of_another_version_is_dropped_with_a_line_in_the_log(
    app: Celery, name: str, version: object, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.stages import celery_tasks

    monkeypatch.setattr(celery_tasks, "worker_context", lambda: pytest.fail("it was worked on"))
    task = app.tasks.get(f"waybill.{name}") or getattr(celery_tasks, name)
    with caplog.at_level(logging.WARNING):
        task.apply(args=(1, 0), headers={VERSION_HEADER: version}, throw=True)
    assert f"this Waybill reads version {MESSAGE_VERSION}" in caplog.text


def test_what_is_no_message_is_dropped_unquoted_and_the_next_one_is_read(
    app: Celery, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"queue-{secrets.token_hex(4)}"
    received: list[object] = []
    connection: Connection = app.connection_for_read()
    with connection, Redis.from_url(redis_url) as client, caplog.at_level(logging.WARNING):
        consumer = connection.Consumer([queue_of(name)], accept=["json"])
        consumer.register_callback(lambda body, message: (received.append(body), message.ack()))
        with consumer:
            client.lpush(name, "CANARY no json", json.dumps({"CANARY": 1}), json.dumps(["CANARY"]))
            with connection.Producer() as producer:
                producer.publish({"fine": 1}, routing_key=name, serializer="json")
            for _ in range(4):
                connection.drain_events(timeout=200)
    assert received == [{"fine": 1}]
    assert caplog.text.count("something that is no message") == 3
    assert "CANARY" not in caplog.text
