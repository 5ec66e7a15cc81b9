"""The outbox and its relay: what was committed is published at least once."""

import threading
from collections import Counter
from collections.abc import Sequence

import pytest
from sqlalchemy import func, select, update

from tasks.store import outbox, sweep
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.outbox import Message
from tasks.store.tables import chunk
from tasks.store.tables import outbox as outbox_table
from tests.support import store_builders


class BrokerDownError(Exception):
    pass


def _announced(store: Store) -> int:
    with store.read() as connection:
        return connection.execute(select(func.count()).select_from(outbox_table)).scalar_one()


def _let_time_pass(store: Store) -> None:
    with store.write() as connection:
        connection.execute(update(outbox_table).values(available_at=1))


def test_messages_are_published_in_order_and_then_forgotten(store: Store) -> None:
    store_builders.submit(store, store_builders.lines(6), options=BatchOptions(group_size=2))
    published: list[Message] = []
    assert outbox.relay(store, published.extend) == 3
    assert [(m.epoch, m.queue) for m in published] == [(0, "dispatch.small")] * 3
    assert published == sorted(published, key=lambda m: m.chunk_id)
    assert outbox.relay(store, published.extend) == 0


def test_a_message_that_could_not_be_published_is_published_later(store: Store) -> None:
    store_builders.submit(store, store_builders.lines(6), options=BatchOptions(group_size=2))

    def fail(messages: Sequence[Message]) -> None:
        raise BrokerDownError

    with pytest.raises(BrokerDownError):
        outbox.relay(store, fail)
    published: list[Message] = []
    assert outbox.relay(store, published.extend) == 0
    _let_time_pass(store)
    assert outbox.relay(store, published.extend) == 3


def test_two_relays_at_once_lose_no_message(store: Store) -> None:
    store_builders.submit(store, store_builders.lines(60), options=BatchOptions(group_size=1))
    lock, published = threading.Lock(), Counter[int]()

    def publish(messages: Sequence[Message]) -> None:
        with lock:
            published.update(m.chunk_id for m in messages)

    def drain(_: int) -> None:
        while _announced(store):
            outbox.relay(store, publish, limit=7)

    store_builders.at_once(2, drain)
    with store.read() as connection:
        ids = {row.id for row in connection.execute(select(chunk.c.id))}
    assert set(published) == ids


def test_a_slow_broker_does_not_hold_up_the_store(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2))
    entered, leave = threading.Event(), threading.Event()

    def hang(messages: Sequence[Message]) -> None:
        entered.set()
        assert leave.wait(400)

    relay = threading.Thread(target=outbox.relay, args=(store, hang))
    relay.start()
    assert entered.wait(400)
    writer = threading.Thread(target=store_builders.claim, args=(store, batch_no))
    writer.start()
    writer.join(200)
    blocked = writer.is_alive()
    leave.set()
    relay.join()
    writer.join()
    assert not blocked


def test_messages_that_the_broker_lost_are_announced_again(store: Store) -> None:
    store_builders.submit(store, store_builders.lines(5), options=BatchOptions(group_size=1))
    outbox.relay(store, lambda messages: None)
    with store.write() as connection:
        connection.execute(update(chunk).values(published_at=1))
    assert sweep.republish(store, {"dispatch.small": 3}, after_s=30) == 2
    assert _announced(store) == 2
    assert sweep.republish(store, {"dispatch.small": 3}, after_s=30) == 2
    assert _announced(store) == 4


def test_a_message_is_not_announced_again_before_its_time(store: Store) -> None:
    store_builders.submit(store, store_builders.lines(5), options=BatchOptions(group_size=1))
    outbox.relay(store, lambda messages: None)
    assert sweep.republish(store, {}, after_s=30) == 0


def test_a_slow_relay_deletes_no_message_that_came_after_its_own(store: Store) -> None:
    """SQLite gives the id of the last row away again, once the other relay has deleted it."""
    store_builders.submit(store, store_builders.lines(1))
    published: list[Message] = []

    def overtaken(messages: Sequence[Message]) -> None:
        published.extend(messages)
        _let_time_pass(store)
        outbox.relay(store, published.extend)
        store_builders.submit(store, store_builders.lines(1))

    outbox.relay(store, overtaken)
    assert [one.chunk_id for one in published] == [1, 1]
    outbox.relay(store, published.extend)
    assert [one.chunk_id for one in published] == [1, 1, 2]
