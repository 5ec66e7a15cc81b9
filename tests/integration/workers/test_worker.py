"""Worker processes: they say that they are alive once they take work, and end where they are refused."""

from __future__ import annotations

import itertools
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from redis import Redis
from redis.exceptions import ResponseError
from sqlalchemy import make_url, select

from tasks.errors import SettingsError
from tasks.settings import Settings
from tasks.store.engine import Store
from tasks.store.health import workers
from tasks.store.health.tables import worker as worker_row
from tests.support.command import COMMAND, assert_exit, waybill
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer
from tests.support.stores import PostgresServer
from tests.support.waiting import wait_until
from workers.worker import services
from workers.worker.heartbeat import WorkerName
from workers.worker.redis_rights import RightsCheck, refused_command
from workers.worker.services import NoAnswerError, check_redis, open_services

SECRET = "canary-password"


@pytest.fixture
def guarded_redis() -> Iterator[RedisServer]:
    """A Redis that asks for a password."""
    with RedisServer() as server:
        server.client().config_set("requirepass", SECRET)
        yield server


def _config(home: Path, *, redis_url: str, store_url: str) -> Path:
    home.mkdir(exist_ok=True)
    file = home / "waybill.toml"
    file.write_text(f'home = "{home}"\n[redis]\nurl = "{redis_url}"\n[store]\nurl = "{store_url}"\n')
    return file


@pytest.mark.parametrize("role", ["route", "upkeep"])
def test_a_worker_is_alive_from_when_it_takes_work_to_its_end(
    role: str, store: Store, redis_url: str, tmp_path: Path
) -> None:
    config = _config(tmp_path / "home", redis_url=redis_url, store_url=store.url)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*COMMAND, "worker", role], cwd=config.parent, stdout=log, stderr=log)

    def alive() -> list[workers.AliveWorker]:
        with store.read() as connection:
            return workers.alive(connection)

    try:
        [one] = wait_until(alive, timeout_s=240)
        assert (one.role, one.queues) == (role, ("route",) if role == "route" else ())
        assert one.name.endswith(f"-{process.pid}")
        assert one.memory_bytes is not None
        assert one.memory_bytes > 20_000_000, "all of its processes"
        process.send_signal(signal.SIGTERM)
        assert process.wait(240) == 0
        assert alive() == []
    finally:
        process.kill()
        process.wait()


def test_a_worker_that_has_left_says_no_more_that_it_is_alive(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "BEAT_S", 0.0)

    def alive() -> list[workers.AliveWorker]:
        with store.read() as connection:
            return workers.alive(connection)

    worker = WorkerName("upkeep@host-1", "upkeep")
    before = set(threading.enumerate())
    worker.say_ready(store, f"redis://127.0.0.1:{free_port()}/0")
    [beating] = [one for one in threading.enumerate() if one.name == "alive" and one not in before]
    wait_until(alive, timeout_s=240)
    worker.leave(store)
    beating.join(240)
    assert not beating.is_alive()
    assert alive() == []


@pytest.mark.parametrize("role", ["embed", "route", "dispatch", "judge", "upkeep"])
def test_a_worker_that_redis_refuses_ends_with_the_reason_and_no_secret(
    role: str, guarded_redis: RedisServer, tmp_path: Path
) -> None:
    wrong = guarded_redis.url.replace("//", f"//:wrong-{SECRET}@")
    config = _config(tmp_path / "home", redis_url=wrong, store_url=f"sqlite:///{tmp_path / 'waybill.db'}")
    with config.open("a") as file:
        file.write('[[models]]\nname = "a"\nlitellm = "openai/a"\ninput_price = 1\noutput_price = 1\n')
    ended = waybill("worker", role, cwd=config.parent)
    assert_exit(ended, 1)
    assert f"Redis at redis://127.0.0.1:{guarded_redis.port}/0 refuses this process" in ended.stderr
    assert SECRET not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr


def test_a_worker_that_the_database_refuses_ends_with_the_reason_and_no_secret(
    postgres: PostgresServer, redis_url: str, tmp_path: Path
) -> None:
    url = make_url(postgres.database()).set(username="nobody", password=SECRET)
    config = _config(
        tmp_path / "home", redis_url=redis_url, store_url=url.render_as_string(hide_password=False)
    )
    ended = waybill("worker", "route", cwd=config.parent)
    assert_exit(ended, 1)
    assert 'role "nobody" does not exist' in ended.stderr
    assert SECRET not in ended.stderr + ended.stdout


def test_what_does_not_answer_is_tried_again_and_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=itertools.count().__next__, sleep=lambda _: None)
    monkeypatch.setattr(services, "time", clock)
    url = f"redis://user:{SECRET}@127.0.0.1:{free_port()}/0"
    told: list[str] = []
    settings = Settings.model_validate({"home": tmp_path, "redis": {"url": url}})
    with pytest.raises(NoAnswerError, match="does not answer"):
        open_services(settings, WorkerName("route@h-1", "route"), notify=told.append, patience_s=5)
    assert len(told) == 1
    assert "it is tried again" in told[0]
    assert SECRET not in told[0]


def test_a_redis_that_asks_for_a_password_refuses_who_has_none(guarded_redis: RedisServer) -> None:
    with pytest.raises(SettingsError, match="refuses this process"):
        check_redis(guarded_redis.url, "route")


def test_a_redis_that_cannot_save_is_tried_again_and_its_reason_is_said() -> None:
    with RedisServer(options={"save": "3600 1"}) as server, server.client() as client:
        server.remove_directory()
        client.bgsave()
        wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", timeout_s=240)
        with pytest.raises(NoAnswerError, match=r"does not answer \(MISCONF"):
            check_redis(server.url, "route", ["route"])
        client.config_set("stop-writes-on-bgsave-error", "no")
        check_redis(server.url, "route", ["route"])


def test_a_redis_that_repeats_the_login_as_unknown_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = ResponseError(f"unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `u`, `{SECRET}`, ")

    def ping(_: Redis) -> None:
        raise said

    monkeypatch.setattr(Redis, "ping", ping)
    with pytest.raises(NoAnswerError, match=r"does not answer \(unknown command `HELLO`\)"):
        check_redis(f"redis://u:{SECRET}@127.0.0.1:{free_port()}/0", "route")


def test_a_user_with_no_keys_but_those_that_kombu_uses_is_let_in() -> None:
    keys = ["~unacked", "~unacked_index", "~unacked_mutex", "~_kombu.binding.*", "~judge"]
    with RedisServer() as server, server.client() as client:
        client.execute_command("ACL", "SETUSER", "judge", "on", f">{SECRET}", *keys, "+@all")
        check_redis(server.url.replace("//", f"//judge:{SECRET}@"), "judge", ["judge"])


def test_the_question_for_rights_leaves_its_client_as_it_is() -> None:
    with RedisServer() as server, server.client() as client:
        assert refused_command(client, "judge", ["judge"]) is None
        assert client.info()["loading"] == 0


@pytest.mark.parametrize(
    "change", [("SETUSER", "embed", "off"), ("SETUSER", "embed", "resetpass", ">new"), ("DELUSER", "embed")]
)
def test_a_running_worker_that_is_let_in_no_more_is_refused_until_it_is_again(
    change: tuple[str, ...],
) -> None:
    with RedisServer() as server, server.client() as client:
        rights = RightsCheck(_user_without_limits(server), "embed", ["embed"])
        assert not rights.look()
        client.execute_command("ACL", *change)
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert rights.look()
        _user_without_limits(server)
        assert not rights.look()


def _user_without_limits(server: RedisServer) -> str:
    """Return the URL of a user that may do what an embedding worker needs: no `limit:*`."""
    rules = ["~vec:*", "~embed*", "~dispatch.*", "~unacked*", "~_kombu.binding*", "allchannels", "+@all"]
    server.client().execute_command("ACL", "SETUSER", "embed", "on", f">{SECRET}", "resetkeys", *rules)
    return server.url.replace("//", f"//embed:{SECRET}@")


def test_a_worker_with_the_user_of_another_role_ends_with_the_right_that_it_lacks(tmp_path: Path) -> None:
    with RedisServer() as server:
        config = _config(
            tmp_path / "home",
            redis_url=_user_without_limits(server),
            store_url=f"sqlite:///{tmp_path / 'waybill.db'}",
        )
        with config.open("a") as file:
            file.write('[[models]]\nname = "a"\nlitellm = "openai/a"\ninput_price = 1\noutput_price = 1\n')
        ended = waybill("worker", "dispatch", cwd=config.parent)
    assert_exit(ended, 1)
    assert "its user may not send `ZCARD limit:waybill.rights`, which the role dispatch needs" in ended.stderr
    assert "is it the user of another role?" in ended.stderr
    assert SECRET not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr


def test_flower_ends_where_redis_refuses_it(guarded_redis: RedisServer, tmp_path: Path) -> None:
    wrong = guarded_redis.url.replace("//", f"//:wrong-{SECRET}@")
    config = _config(tmp_path / "home", redis_url=wrong, store_url=f"sqlite:///{tmp_path / 'waybill.db'}")
    ended = waybill("flower", "--port", str(free_port()), cwd=config.parent)
    assert_exit(ended, 1)
    assert f"Redis at redis://127.0.0.1:{guarded_redis.port}/0 refuses this process" in ended.stderr
    assert SECRET not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr


def test_a_right_that_is_lost_while_a_worker_runs_is_noted_until_it_is_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "BEAT_S", 0.01)
    worker = WorkerName("embed@host-1", "embed", ("embed",))

    def noted() -> bool:
        with store.read() as connection:
            return bool(connection.execute(select(worker_row).where(worker_row.c.is_refused)).all())

    with RedisServer() as server:
        url = _user_without_limits(server)
        worker.say_ready(store, url)
        server.client().execute_command("ACL", "SETUSER", "embed", "-del")
        wait_until(noted, timeout_s=240)
        server.client().execute_command("ACL", "SETUSER", "embed", "+del")
        wait_until(lambda: not noted(), timeout_s=240)
        server.client().execute_command("ACL", "SETUSER", "embed", "-del")
        wait_until(noted, timeout_s=240)
        worker.leave(store)
    assert not noted()
