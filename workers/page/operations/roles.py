"""The workers of each role together: how many are alive, how busy they are, and what they use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.store.health.workers import AliveWorker
from tasks.store.queues import QueueDepth


@dataclass(frozen=True, slots=True)
class RoleLoad:
    """A role; `chunks` are those that its workers hold, the rest is None where no worker tells it."""

    role: str
    alive: int
    chunks: int
    cpu: float | None
    memory_bytes: int | None


def by_role(workers: Sequence[AliveWorker], queues: Sequence[QueueDepth]) -> list[RoleLoad]:
    """Return the load of each role that has a worker, or of which chunks are held."""
    held: dict[str, int] = {}
    for one in queues:
        role = one.queue.partition(".")[0]
        held[role] = held.get(role, 0) + one.claimed
    names = {one.role for one in workers} | {role for role, chunks in held.items() if chunks}
    return [_of_role(name, [one for one in workers if one.role == name], held) for name in sorted(names)]


def _of_role(role: str, workers: Sequence[AliveWorker], held: dict[str, int]) -> RoleLoad:
    cpus = [one.cpu for one in workers if one.cpu is not None]
    memories = [one.memory_bytes for one in workers if one.memory_bytes is not None]
    return RoleLoad(
        role,
        len(workers),
        held.get(role, 0),
        sum(cpus) if cpus else None,
        sum(memories) if memories else None,
    )
