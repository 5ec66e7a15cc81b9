"""How unlike a router's training prompts the prompts of a batch are, added up chunk by chunk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, insert, null, select, update

from router_core.monitoring.drift import Drift
from tasks.store import batches
from tasks.store.routers.tables import router_drift
from tasks.store.tables import batch

if TYPE_CHECKING:
    from router_core.monitoring.drift_reference import DriftReference, DriftSums

#: seen by a router that does not know what its training prompts were like
NOTHING = b""


@dataclass(frozen=True, slots=True)
class RouterDrift:
    """What one router saw of one batch.

    drift: None while it saw too little. known: whether it knows what it was trained on; older routers do not.
    """

    batch_id: str
    version: str
    drift: Drift | None
    known: bool


def add(
    connection: Connection,
    batch_no: int,
    version: str,
    reference: DriftReference | None,
    seen: DriftSums | None,
) -> None:
    """Add what a router saw of one chunk of a locked batch; without a reference, note that it cannot tell."""
    row = (router_drift.c.batch_no == batch_no) & (router_drift.c.version == version)
    before = connection.execute(select(router_drift.c.seen).where(row)).scalar_one_or_none()
    if reference is None or seen is None:
        values = {"seen": NOTHING, "figures": null()}
    else:
        total = seen.add_bytes(before) if before else seen
        found = reference.drift(total)
        values = {"seen": total.to_bytes(), "figures": found.to_dict() if found else null()}
    if before is None:
        connection.execute(insert(router_drift).values(batch_no=batch_no, version=version, **values))
    elif before != values["seen"]:
        connection.execute(update(router_drift).where(row).values(**values))


def of_batch(connection: Connection, batch_no: int) -> list[RouterDrift]:
    """Return what each router saw of a batch, by version."""
    query = (
        select(batch.c.id, router_drift.c.version, router_drift.c.figures, router_drift.c.seen)
        .join(batch, batch.c.no == router_drift.c.batch_no)
        .where(router_drift.c.batch_no == batch_no)
        .order_by(router_drift.c.version)
    )
    return [
        RouterDrift(
            row.id, row.version, Drift.from_dict(row.figures) if row.figures else None, bool(row.seen)
        )
        for row in connection.execute(query)
    ]


def newest(connection: Connection) -> list[RouterDrift]:
    """Return what each router saw of the newest batch that a router has routed."""
    query = (
        select(router_drift.c.batch_no)
        .join(batch, batch.c.no == router_drift.c.batch_no)
        .where(batch.c.purpose == batches.ANSWER)
        .order_by(router_drift.c.batch_no.desc())
        .limit(1)
    )
    found = connection.execute(query).scalar_one_or_none()
    return [] if found is None else of_batch(connection, found)
