"""Celery's channels to Redis."""

from __future__ import annotations

from kombu import Connection

from tasks.connections.broker import TRANSPORT


def test_a_channel_keeps_its_client_as_long_as_its_pool_of_connections(redis_url: str) -> None:
    with Connection(redis_url, transport=TRANSPORT) as connection:
        channel = connection.channel()

        def client() -> object:
            with channel.conn_or_acquire() as found:
                assert found.ping()
                return found

        first = client()
        assert client() is first
        channel._disconnect_pools()  # as after a fork, or when the connection is lost
        assert client() is not first
        assert client() is client()
