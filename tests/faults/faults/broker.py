"""Redis that dies, hangs, forgets, is full or far away, and messages that are not ours."""

from __future__ import annotations

import json
import signal
from base64 import b64encode
from collections.abc import Iterator

from sqlalchemy import func, select

from tasks.stages.task_names import MESSAGE_VERSION, VERSION_HEADER
from tasks.store.tables import outbox
from tests.faults.fault_environment import FaultEnvironment
from tests.faults.nemesis import Act, Fault
from tests.support.tcp_proxy import TcpProxy

#: longer than every timeout on the way to Redis
_HANG_S = 35.0
#: in the bodies of foreign messages, with their kind: no log may quote them
FOREIGN = "CANARY-foreign"
_QUEUES = ("dispatch.sim-nano", "dispatch.sim-coder")


def crashes_and_returns(world: FaultEnvironment) -> Iterator[None]:
    """SIGKILL, and back with its append-only file."""
    yield
    world.until_begun()
    world.stack.redis.kill()
    world.watch(world.random.uniform(0.5, 3))
    world.stack.redis.start()
    yield


def returns_empty(world: FaultEnvironment) -> Iterator[None]:
    """SIGKILL, and back with nothing."""
    yield
    world.until_begun()
    world.stack.redis.restart_empty()
    yield


def is_flushed(world: FaultEnvironment) -> Iterator[None]:
    """FLUSHALL, three times."""
    yield
    world.until_begun()
    with world.stack.redis.client() as client:
        for _ in range(3):
            client.flushall()
            world.watch(0.3)
    yield


def hangs(world: FaultEnvironment) -> Iterator[None]:
    """SIGSTOP: connections stay open and nothing is answered."""
    yield
    world.until_begun()
    world.stack.redis.signal(signal.SIGSTOP)
    world.watch(_HANG_S)
    world.stack.redis.signal(signal.SIGCONT)
    yield


def far_away(harm: str) -> Act:
    """All workers reach Redis through a proxy that resets or swallows everything."""

    def act(world: FaultEnvironment) -> Iterator[None]:
        with TcpProxy(world.stack.redis.port) as proxy:
            through = {"WAYBILL_REDIS__URL": f"redis://127.0.0.1:{proxy.port}/0"}
            world.mend(world.standing, through)
            yield
            world.until_begun()
            if harm == "reset":
                for _ in range(5):
                    proxy.reset()
                    world.watch(0.4)
            else:
                proxy.black_hole(True)
                world.watch(_HANG_S)
                proxy.black_hole(False)
            yield

    return act


def is_full(world: FaultEnvironment) -> Iterator[None]:
    """maxmemory is reached under `noeviction` before anything is announced: every write is refused."""
    with world.stack.redis.client() as client:
        client.config_set("maxmemory", 1)
        yield
        world.watch(8.0)
        with world.stack.store.read() as connection:
            waiting = connection.execute(select(func.count()).select_from(outbox)).scalar_one()
        assert waiting > 0, "the outbox keeps what Redis does not take"
        client.config_set("maxmemory", 0)
    yield


def repeats_itself(world: FaultEnvironment) -> Iterator[None]:
    """Every message is there a hundred times, in any order."""
    sleepers = world.running("dispatch")
    for sleeper in sleepers:
        sleeper.signal(signal.SIGSTOP)
    yield
    with world.stack.redis.client() as client:
        world.until(lambda: all(client.llen(queue) for queue in _QUEUES))
        world.watch(1.5)
        for queue in _QUEUES:
            messages = client.lrange(queue, 0, -1) * 100
            world.random.shuffle(messages)
            client.delete(queue)
            client.rpush(queue, *messages)
    for sleeper in sleepers:
        sleeper.signal(signal.SIGCONT)
    yield


def is_of_another_version(world: FaultEnvironment) -> Iterator[None]:
    """Every message that waits for dispatch is of another version: an upgrade in mid-batch, or one undone."""
    sleepers = world.running("dispatch")
    world.stop(*sleepers)
    yield
    with world.stack.redis.client() as client:
        for _ in range(200):
            if all(client.llen(queue) for queue in _QUEUES):
                break
            world.watch(0.05)
        for queue in _QUEUES:
            messages = [_of_version(raw, n) for n, raw in enumerate(client.lrange(queue, 0, -1))]
            assert messages, "nothing waits for dispatch"
            client.delete(queue)
            client.rpush(queue, *messages)
    world.tend()
    yield


def _of_version(raw: bytes, number: int) -> bytes:
    message = json.loads(raw)
    message["headers"][VERSION_HEADER] = MESSAGE_VERSION + (-1, 1)[number % 2]
    return json.dumps(message).encode()


def envelope(task: str, body: str, content_type: str) -> bytes:
    """A kombu message as it lies in a queue."""
    headers = {"lang": "py", "task": task, "id": "f0", "root_id": "f0", "argsrepr": "()", "kwargsrepr": "{}"}
    properties = {
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": _QUEUES[0]},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": "f0f0",
    }
    return json.dumps(
        {
            "body": body,
            "content-encoding": "utf-8",
            "content-type": content_type,
            "headers": headers,
            "properties": properties,
        }
    ).encode()


def _base64(value: object) -> str:
    return b64encode(json.dumps(value).encode()).decode()


def canary(kind: str) -> str:
    return f"{FOREIGN}-{kind.replace(' ', '-')}"


def _arguments(kind: str) -> str:
    return _base64([[canary(kind)], {}, {}])


_TEXT = "application/json"
_FOREIGN_MESSAGES = {
    "unknown task": envelope("waybill.nothing", _arguments("unknown task"), _TEXT),
    "wrong arguments": envelope("waybill.dispatch", _arguments("wrong arguments"), _TEXT),
    "wrong content type": envelope(
        "waybill.dispatch", _arguments("wrong content type"), "application/x-yaml"
    ),
    "body not JSON": envelope(
        "waybill.dispatch", b64encode(canary("body not JSON").encode()).decode(), _TEXT
    ),
    "no envelope": json.dumps({"text": canary("no envelope")}).encode(),
    "not JSON": canary("not JSON").encode(),
}


def foreign(kind: str, message: bytes) -> Act:
    """A message of somebody else in the queues of all stages."""

    def act(world: FaultEnvironment) -> Iterator[None]:
        yield
        with world.stack.redis.client() as client:
            for queue in (*_QUEUES, "route"):
                client.rpush(queue, message)  # the end that is popped next
        world.until_begun(1)
        yield
        found = [name for name, text in world.stack.logs().items() if canary(kind) in text]
        assert not found, f"a foreign message was quoted by {found}"

    return act


FAULTS = [
    Fault(name="Redis SIGKILL, AOF restart", number=3, act=crashes_and_returns),
    Fault(name="Redis SIGKILL, empty restart", number=3, act=returns_empty),
    Fault(name="Redis FLUSHALL", number=3, act=is_flushed),
    Fault(name=f"Redis SIGSTOP {_HANG_S:.0f} s", number=4, act=hangs),
    Fault(name="TCP resets on the way to Redis", number=4, act=far_away("reset")),
    Fault(name=f"TCP black hole {_HANG_S:.0f} s", number=4, act=far_away("black hole")),
    Fault(name="Redis out of memory", number=5, act=is_full),
    Fault(name="messages ×100, reordered", number=9, act=repeats_itself),
    Fault(name="messages of another version", number=16, act=is_of_another_version),
    *(
        Fault(
            name="foreign message",
            variant=what,
            number=10,
            act=foreign(what, message),
            crashes=int(what == "not JSON") * 2,
        )
        for what, message in _FOREIGN_MESSAGES.items()
    ),
]
