"""The split of a chunk's requests between the champion and a canary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from router_core.router import Router
from tasks.stages.context import WorkerContext
from tasks.store.routers.roles import CANARY, CHAMPION, Roles
from tasks.store.values import HeldRequest

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ArmAssignment:
    """The rows of a chunk that one router decides; `arm` is canary or champion while a canary runs."""

    router: Router | None
    rows: Rows
    arm: str | None = None

    @property
    def version(self) -> str | None:
        """The router's version; None if the default model is used instead of a router."""
        return self.router.version if self.router else None


def assign(context: WorkerContext, roles: Roles, requests: Sequence[HeldRequest]) -> list[ArmAssignment]:
    """Assign the requests of a chunk to the arms; a request that is routed again gets the same arm."""
    champion = context.router(roles)
    all_rows = np.arange(len(requests))
    if champion is None or roles.canary is None:
        return [ArmAssignment(champion, all_rows)]
    canary = context.router_cache.get(roles.canary)
    if canary.embedder.fingerprint != champion.embedder.fingerprint:  # it needs other vectors
        return [ArmAssignment(champion, all_rows)]
    drawn = draws([request.id for request in requests], seed=roles.since) < roles.share
    return [
        ArmAssignment(router, np.flatnonzero(rows), arm)
        for router, rows, arm in ((champion, ~drawn, CHAMPION), (canary, drawn, CANARY))
        if rows.any()
    ]


def draws(ids: Sequence[int], *, seed: int) -> npt.NDArray[np.float64]:
    """Return uniform numbers in [0, 1), float64 [n], that depend only on id and seed (SplitMix64's mix)."""
    mixed = np.array(ids, dtype=np.uint64) + np.uint64(seed * 0x9E3779B97F4A7C15 % (1 << 64))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11), dtype=np.float64) / float(1 << 53)
