"""Faults of Redis: crashes, hangs, lost data, no memory, a bad network; and messages that are not for us."""

from __future__ import annotations

import json
import signal
from base64 import b64encode
from collections.abc import Iterator

from sqlalchemy import func, select

from tasks.stages.task_names import MESSAGE_VERSION, VERSION_HEADER
from tasks.store.tables import outbox
from tests.faults.fault_environment import FaultEnvironment
from tests.faults.nemesis import Fault, Injection
from tests.support.tcp_proxy import TcpProxy

#: longer than every timeout on the way to Redis
_HANG_S = 35.0
#: in the bodies of foreign messages, with their kind: no log may hold it
FOREIGN = "CANARY-foreign"
_QUEUES = ("dispatch.sim-nano", "dispatch.sim-coder")


def crashes_and_returns(environment: FaultEnvironment) -> Iterator[None]:
    """SIGKILL, and back with its append-only file."""
    yield
    environment.until_begun()
    environment.stack.redis.kill()
    environment.watch(environment.random.uniform(0.5, 3))
    environment.stack.redis.start()
    yield


def returns_empty(environment: FaultEnvironment) -> Iterator[None]:
    """SIGKILL, and back with nothing."""
    yield
    environment.until_begun()
    environment.stack.redis.restart_empty()
    yield


def is_flushed(environment: FaultEnvironment) -> Iterator[None]:
    """FLUSHALL, three times."""
    yield
    environment.until_begun()
    with environment.stack.redis.client() as client:
        for _ in range(3):
            client.flushall()
            environment.watch(0.3)
    yield


def hangs(environment: FaultEnvironment) -> Iterator[None]:
    """SIGSTOP: connections stay open and nothing is answered."""
    yield
    environment.until_begun()
    environment.stack.redis.signal(signal.SIGSTOP)
    environment.watch(_HANG_S)
    environment.stack.redis.signal(signal.SIGCONT)
    yield


def far_away(harm: str) -> Injection:
    """All workers reach Redis through a proxy that resets its connections or drops everything."""

    def inject(environment: FaultEnvironment) -> Iterator[None]:
        with TcpProxy(environment.stack.redis.port) as proxy:
            through = {"WAYBILL_REDIS__URL": f"redis://127.0.0.1:{proxy.port}/0"}
            environment.restore(environment.roles, through)
            yield
            environment.until_begun()
            if harm == "reset":
                for _ in range(5):
                    proxy.reset()
                    environment.watch(0.4)
            else:
                proxy.black_hole(True)
                environment.watch(_HANG_S)
                proxy.black_hole(False)
            yield

    return inject


def is_full(environment: FaultEnvironment) -> Iterator[None]:
    """maxmemory is reached under `noeviction` before anything is announced: every write is refused."""
    with environment.stack.redis.client() as client:
        client.config_set("maxmemory", 1)
        yield
        environment.watch(8.0)
        with environment.stack.store.read() as connection:
            waiting = connection.execute(select(func.count()).select_from(outbox)).scalar_one()
        assert waiting > 0, "the outbox keeps what Redis does not take"
        client.config_set("maxmemory", 0)
    yield


def repeats_itself(environment: FaultEnvironment) -> Iterator[None]:
    """Every message is there a hundred times, in any order."""
    workers = environment.running("dispatch")
    for worker in workers:
        worker.signal(signal.SIGSTOP)
    yield
    with environment.stack.redis.client() as client:
        environment.until(lambda: all(client.llen(queue) for queue in _QUEUES))
        environment.watch(1.5)
        for queue in _QUEUES:
            messages = client.lrange(queue, 0, -1) * 100
            environment.random.shuffle(messages)
            client.delete(queue)
            client.rpush(queue, *messages)
    for worker in workers:
        worker.signal(signal.SIGCONT)
    yield


def is_of_another_version(environment: FaultEnvironment) -> Iterator[None]:
    """Every message that waits for dispatch is of another version: an upgrade in mid-batch, or one undone."""
    workers = environment.running("dispatch")
    environment.stop(*workers)
    yield
    with environment.stack.redis.client() as client:
        for _ in range(200):
            if all(client.llen(queue) for queue in _QUEUES):
                break
            environment.watch(0.05)
        for queue in _QUEUES:
            messages = [_of_version(raw, n) for n, raw in enumerate(client.lrange(queue, 0, -1))]
            assert messages, "nothing waits for dispatch"
            client.delete(queue)
            client.rpush(queue, *messages)
    environment.restart_dead()
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


def foreign(kind: str, message: bytes) -> Injection:
    """A message of another program in the queues of all stages."""

    def inject(environment: FaultEnvironment) -> Iterator[None]:
        yield
        with environment.stack.redis.client() as client:
            for queue in (*_QUEUES, "route"):
                client.rpush(queue, message)  # the end that is popped next
        environment.until_begun(1)
        yield
        found = [name for name, text in environment.stack.logs().items() if canary(kind) in text]
        assert not found, f"a foreign message was quoted by {found}"

    return inject


FAULTS = [
    Fault(name="Redis SIGKILL, AOF restart", number=3, inject=crashes_and_returns),
    Fault(name="Redis SIGKILL, empty restart", number=3, inject=returns_empty),
    Fault(name="Redis FLUSHALL", number=3, inject=is_flushed),
    Fault(name=f"Redis SIGSTOP {_HANG_S:.0f} s", number=4, inject=hangs),
    Fault(name="TCP resets on the way to Redis", number=4, inject=far_away("reset")),
    Fault(name=f"TCP black hole {_HANG_S:.0f} s", number=4, inject=far_away("black hole")),
    Fault(name="Redis out of memory", number=5, inject=is_full),
    Fault(name="messages ×100, reordered", number=9, inject=repeats_itself),
    Fault(name="messages of another version", number=16, inject=is_of_another_version),
    *(
        Fault(
            name="foreign message",
            variant=what,
            number=10,
            inject=foreign(what, message),
            crashes=int(what == "not JSON") * 2,
        )
        for what, message in _FOREIGN_MESSAGES.items()
    ),
]
