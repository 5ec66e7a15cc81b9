"""Processes that die, freeze or are told to go."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

from tests.faults.fault_environment import LEASE_S, PROMPT, FaultEnvironment
from tests.faults.hooks import POISON
from tests.faults.nemesis import REQUESTS, Act, Fault, Items, plain
from tests.support.invariants import StoreInvariants

#: where, and at the latest the how manieth time: a quick batch gives a worker one group of eight, perhaps
_PLACES = {
    "after_claim": 1,
    "after_reserve": 1,
    "before_send": 6,
    "after_response": 6,
    "after_settle": 1,
    "before_ack": 1,
}
_MAX_LOSSES = 3


def dies(place: str, how: str) -> Act:
    """A dispatch worker that dies at a failpoint, one of the first times it gets there."""

    def act(world: FaultEnvironment) -> Iterator[None]:
        worker, latch = world.armed("dispatch", f"{place}:{how}:{world.random.randint(1, _PLACES[place])}")
        yield
        world.until(latch.exists)
        yield
        world.stop(worker)
        if how == "parent":
            end_orphans(worker.process.pid)

    return act


def end_orphans(group: int) -> None:
    """The pool processes of a parent that died."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def route_dies(world: FaultEnvironment) -> Iterator[None]:
    """The route worker's group dies with a chunk claimed."""
    world.stop(*world.running("route"))
    _, latch = world.armed("route", f"after_claim:group:{world.random.randint(1, 2)}")
    yield
    world.until(latch.exists)
    yield


def loses_message(world: FaultEnvironment) -> Iterator[None]:
    """A worker dies between BRPOP and the note that it has the message: kombu's own gap."""
    latch = world.stack.home / f"lost-{len(world.stack.workers)}"
    # The only one at first, so that it gets a message for certain.
    world.stop(*world.running("dispatch"))
    [worker] = world.start("dispatch", environment={"TEST_LOSE_MESSAGE": str(latch)})
    yield
    world.until(latch.exists)
    yield
    world.stop(worker)


def sleeps(world: FaultEnvironment) -> Iterator[None]:
    """SIGSTOP past the lease with calls in flight, then CONT: its answers come too late."""
    sleeper = world.running("dispatch")[0]
    yield
    world.stack.freeze_at_work(sleeper, world.stack.sent_by)
    world.watch(2 * LEASE_S)
    sleeper.signal(signal.SIGCONT)
    yield
    time.sleep(1.5)  # its calls were answered long ago: now it settles them


def outlives_visibility(world: FaultEnvironment) -> Iterator[None]:
    """A task that takes longer than Redis' visibility timeout: its message is handed out again."""
    worker, latch = world.armed("route", "after_claim:pause:1")
    yield
    world.until(latch.exists)
    world.watch(12.0)
    yield
    world.stop(worker)


def terminates(world: FaultEnvironment) -> Iterator[None]:
    """SIGTERM to a dispatch worker in mid-batch."""
    yield
    world.until_begun()
    assert world.running("dispatch")[0].terminate() == 0
    yield


def rolls(world: FaultEnvironment) -> Iterator[None]:
    """Every worker is replaced, one after the other, as in an upgrade."""
    yield
    world.until_begun(1)
    for role in ("upkeep", "route", "dispatch", "dispatch"):
        world.running(role)[0].terminate()
        world.tend()
    yield


def quits(world: FaultEnvironment) -> Iterator[None]:
    """SIGQUIT, Celery's cold shutdown."""
    yield
    world.until_begun()
    worker = world.running("dispatch")[0]
    worker.process.send_signal(signal.SIGQUIT)
    world.until(lambda: worker.process.poll() is not None)
    yield
    end_orphans(worker.process.pid)


def reads_poison(world: FaultEnvironment) -> Iterator[None]:
    """Prompts that kill the process that reads them (see hooks.POISON)."""
    yield
    yield


def with_poison(**named: str) -> Items:
    def items(world: FaultEnvironment) -> list[object]:
        run = f"{world.random.getrandbits(32):08x}"
        return [*plain(world), {"prompt": f"{PROMPT} {run} {POISON}", "id": "poison", **named}]

    return items


def only_poison_dies(books: StoreInvariants) -> bool:
    return books.outcomes == {"succeeded": REQUESTS, "failed": 1}


FAULTS = [
    Fault(name="nothing goes wrong", number=0, act=reads_poison),
    *(
        Fault(
            name=f"SIGKILL of a worker's {name}",
            number=1,
            act=dies(place, how),
            variant=place,
            crashes=1,
            quick=("sqlite",) if (place, how) == ("after_reserve", "kill") else (),
        )
        for how, name in (("kill", "child"), ("parent", "parent"), ("group", "group"))
        for place in _PLACES
    ),
    Fault(name="SIGKILL of the route worker", number=1, act=route_dies),
    Fault(name="exit between BRPOP and HSET", number=2, act=loses_message, crashes=1),
    Fault(name="SIGSTOP past the lease, CONT", number=6, act=sleeps, crashes=1),
    Fault(
        name="task longer than visibility",
        number=6,
        act=outlives_visibility,
        environment={"TEST_VISIBILITY_S": "3"},
    ),
    Fault(
        name="prompt that kills its process",
        variant="dispatch",
        number=11,
        act=reads_poison,
        items=with_poison(model="sim-nano"),
        crashes=_MAX_LOSSES,
        ends=only_poison_dies,
    ),
    Fault(
        name="prompt that kills its process",
        variant="route",
        number=11,
        act=reads_poison,
        items=with_poison(),
        ends=only_poison_dies,
    ),
    Fault(name="SIGTERM", number=16, act=terminates),
    Fault(name="SIGQUIT", number=16, act=quits, crashes=1),
    Fault(name="rolling restart", number=16, act=rolls),
]
