"""Which workers are alive, which roles a batch waits for, and what its calls failed with."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select, update

from tasks.store import batches, progress, steering
from tasks.store.batch_options import BatchOptions
from tasks.store.batch_progress import Progress
from tasks.store.engine import Store, now_ms
from tasks.store.health import model_errors, senders, silent_redis, workers
from tasks.store.health.missing import missing_text
from tasks.store.health.model_errors import FailedCalls
from tasks.store.health.tables import worker
from tasks.store.tables import upkeep_mark
from tasks.upkeep import redis_watch
from tasks.upkeep.redis_watch import RedisWatch
from tests.support import store_builders
from tests.support.redis_server import RedisServer
from workers.views.health import health_lines

OPTIONS = BatchOptions(models=("small", "large"))


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker may be silent for longer than any machine stands still."""
    monkeypatch.setattr(workers, "SILENT_S", 3_600.0)


def _alive(store: Store, role: str, *queues: str, name: str | None = None) -> None:
    with store.write() as connection:
        workers.beat(connection, name or f"{role}@host-1", role=role, queues=queues)


def _state(store: Store, batch_no: int) -> Progress:
    with store.read() as connection:
        return progress.snapshot(connection, batches.by_number(connection, batch_no)["id"])


def test_a_batch_names_each_role_that_it_waits_for_until_one_of_it_is_alive(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(3, model=None), options=OPTIONS)
    assert _state(store, batch_no).missing_roles == ("upkeep", "embed")
    _alive(store, "upkeep")
    _alive(store, "route", "route")
    assert _state(store, batch_no).missing_roles == ("embed",)
    _alive(store, "embed", "embed")
    assert _state(store, batch_no).missing_roles == ()


def test_a_dispatch_worker_may_be_missing_for_one_model_only(store: Store) -> None:
    lines = [store_builders.line(1), store_builders.line(2, model="large")]
    batch_no = store_builders.submit(store, lines, options=OPTIONS)
    _alive(store, "upkeep")
    assert _state(store, batch_no).missing_roles == ("dispatch",)
    _alive(store, "dispatch", "dispatch.small")
    assert _state(store, batch_no).missing_roles == ("dispatch --models large",)
    _alive(store, "dispatch", "dispatch.large", name="dispatch@host-2")
    assert _state(store, batch_no).missing_roles == ()


def test_a_batch_that_is_paused_or_has_ended_waits_for_nobody(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2), options=OPTIONS)
    with store.write() as connection:
        steering.pause(connection, _state(store, batch_no).batch_id)
    assert _state(store, batch_no).missing_roles == ()
    with store.write() as connection:
        steering.resume(connection, _state(store, batch_no).batch_id)
    store_builders.settle_all(store, batch_no, model="small")
    assert _state(store, batch_no).missing_roles == ()


def test_a_worker_counts_until_it_ends_or_is_silent_for_a_minute(store: Store) -> None:
    _alive(store, "route", "route", name="route@host-1")
    _alive(store, "route", "route", name="route@host-1")
    _alive(store, "route", "route", name="route@host-2")
    with store.read() as connection:
        assert workers.alive_by_role(connection) == {"route": 2}
    with store.write() as connection:
        workers.leave(connection, "route@host-1")
        silent = now_ms() - int(workers.SILENT_S * 1000) - 1
        connection.execute(update(worker).values(seen_at=silent))
    with store.read() as connection:
        assert workers.alive(connection) == []


def test_rows_of_workers_and_senders_that_nobody_asks_for_are_deleted(store: Store) -> None:
    ended = store_builders.submit(store, store_builders.lines(1))
    with store.write() as connection:
        batches.create(connection, source="x", options=OPTIONS, budget=None, batch_id="batch_sent")
        for batch_id in ("batch_sent", batches.by_number(connection, ended)["id"]):
            senders.beat(connection, batch_id)
            senders.gone(connection, batch_id)
        workers.beat(connection, "route@host-1", role="route", queues=())
        connection.execute(update(worker).where(worker.c.role == "route").values(seen_at=0))
        workers.beat(connection, "route@host-2", role="route", queues=())
        assert senders.is_alive(connection, "batch_sent") is False
        names = connection.execute(select(worker.c.name).order_by(worker.c.name)).scalars().all()
    assert names == ["route@host-2", "sender@batch_sent"]


def test_workers_of_earlier_versions_which_say_nothing_are_not_called_missing(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(3, model=None), options=OPTIONS)
    other = store_builders.submit(store, store_builders.lines(3, model=None), options=OPTIONS)
    store_builders.claim(store, other)
    with store.write() as connection:
        connection.execute(insert(upkeep_mark).values(name="sweeper", written_at=now_ms()))
    assert _state(store, batch_no).missing_roles == ()


def test_failed_calls_add_up_by_model_and_code(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2))
    refused = FailedCalls(batch_no, "small", "rate_limit", 2, "rate_limit (429)")
    unreached = FailedCalls(batch_no, "small", "connection", 1, "connection")
    for failed in ([refused], [unreached, FailedCalls(batch_no + 1, "small", "connection", 5, "connection")]):
        with store.write() as connection:
            model_errors.add(connection, failed)
    with store.write() as connection:
        model_errors.add(
            connection, [FailedCalls(batch_no, "small", "rate_limit", 1, "rate_limit (429, rpm)")]
        )
    errors = {one.code: one for one in _state(store, batch_no).errors}
    assert {code: (one.calls, one.detail) for code, one in errors.items()} == {
        "connection": (1, "connection"),
        "rate_limit": (3, "rate_limit (429, rpm)"),
    }
    assert errors["rate_limit"].first_at <= errors["connection"].first_at <= errors["rate_limit"].last_at
    assert 0 <= errors["rate_limit"].seconds_ago < 3_600


def test_many_processes_add_to_the_same_counters_without_a_deadlock(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    codes = ["connection", "rate_limit", "server_error", "timeout"]

    def add(number: int) -> None:
        ordered = codes if number % 2 else codes[::-1]
        for _ in range(10):
            with store.write() as connection:
                model_errors.add(
                    connection, [FailedCalls(batch_no, "small", code, 1, code) for code in ordered]
                )

    store_builders.at_once(4, add)
    assert {one.code: one.calls for one in _state(store, batch_no).errors} == dict.fromkeys(codes, 40)


def test_the_text_names_roles_and_the_commands_that_start_them() -> None:
    text = missing_text(("upkeep", "dispatch --models a,b"), lacks_stack=False)
    assert "no upkeep, dispatch workers ran" in text
    assert "`waybill worker upkeep`, `waybill worker dispatch --models a,b`" in text
    assert "waybill up`" not in text
    assert "or `waybill up` for all" in missing_text(("upkeep",), lacks_stack=True)
    assert missing_text((), lacks_stack=True) == ""


def test_a_second_stack_is_advised_at_no_store_of_a_server_and_at_none_with_workers(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2), options=OPTIONS)
    assert _state(store, batch_no).lacks_stack is store.is_sqlite
    with store.write() as connection:
        workers.beat(connection, "route@h-1", role="route", queues=["route"])
    assert not _state(store, batch_no).lacks_stack


def test_a_batch_waits_for_redis_as_long_as_upkeep_notes_that_it_is_silent(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silent_redis, "FRESH_S", 3_600.0)
    monkeypatch.setattr(redis_watch, "_TIMEOUT_S", 60.0)
    batch_no = store_builders.submit(store, store_builders.lines(2), options=OPTIONS)
    with RedisServer(options={"requirepass": "secret"}) as server:
        watch = RedisWatch(store, server.url)
        watch.look()
        assert _state(store, batch_no).silent_redis is None
        server.kill()
        watch.look()
        watch.look()
        state = _state(store, batch_no)
        assert state.silent_redis == f"redis://127.0.0.1:{server.port}/0"
        assert f"Redis does not answer: {state.silent_redis}" in health_lines(state)
        server.restart_empty()
        watch.look()
    assert _state(store, batch_no).silent_redis is None


def test_an_old_note_or_a_batch_that_waits_for_nothing_names_no_redis(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2), options=OPTIONS)
    with store.write() as connection:
        silent_redis.note_silent(connection, "redis://h:1")
        connection.execute(update(upkeep_mark).values(written_at=1))
    assert _state(store, batch_no).silent_redis is None
    with store.write() as connection:
        silent_redis.note_silent(connection, "redis://h:1")
        steering.pause(connection, batches.by_number(connection, batch_no)["id"])
    assert _state(store, batch_no).silent_redis is None


def test_a_worker_that_redis_refuses_holds_a_batch_up_until_it_does_not(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "SILENT_S", 3_600.0)
    worker = {"name": "dispatch@h-1", "role": "dispatch", "queues": ["dispatch.small"]}
    batch_no = store_builders.submit(store, store_builders.lines(2), options=OPTIONS)
    with store.write() as connection:
        workers.beat(connection, **worker, is_refused=True)
    state = _state(store, batch_no)
    assert state.refused_workers == ("dispatch@h-1",)
    assert any("Redis refuses dispatch@h-1: the user in its" in line for line in health_lines(state))
    with store.write() as connection:
        workers.beat(connection, **worker)
    assert _state(store, batch_no).refused_workers == ()
