"""The drift of a batch's prompts from a router's training prompts, summed over the chunks."""

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

#: the stored sums of a router without a drift reference
NO_REFERENCE = b""


@dataclass(frozen=True, slots=True)
class RouterDrift:
    """The drift of one batch for one router.

    Attributes:
        batch_id: The batch.
        version: The router's version.
        drift: The drift; None while too few prompts were seen, or without a reference.
        known: Whether the router has a drift reference; older routers have none.
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
    sums: DriftSums | None,
) -> None:
    """Add a router's sums over one chunk to those of its batch, which the caller has locked.

    Without a reference or sums, it records that the drift is unknown.
    """
    row = (router_drift.c.batch_no == batch_no) & (router_drift.c.version == version)
    before = connection.execute(select(router_drift.c.seen).where(row)).scalar_one_or_none()
    if reference is None or sums is None:
        values = {"seen": NO_REFERENCE, "figures": null()}
    else:
        total = sums.add_bytes(before) if before else sums
        drift = reference.drift(total)
        values = {"seen": total.to_bytes(), "figures": drift.to_dict() if drift else null()}
    if before is None:
        connection.execute(insert(router_drift).values(batch_no=batch_no, version=version, **values))
    elif before != values["seen"]:
        connection.execute(update(router_drift).where(row).values(**values))


def of_batch(connection: Connection, batch_no: int) -> list[RouterDrift]:
    """Return the drift of a batch for each router that routed it, by version."""
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
    """Return the drift of the newest batch that a router has routed, for each of its routers."""
    query = (
        select(router_drift.c.batch_no)
        .join(batch, batch.c.no == router_drift.c.batch_no)
        .where(batch.c.purpose == batches.ANSWER)
        .order_by(router_drift.c.batch_no.desc())
        .limit(1)
    )
    batch_no = connection.execute(query).scalar_one_or_none()
    return [] if batch_no is None else of_batch(connection, batch_no)
