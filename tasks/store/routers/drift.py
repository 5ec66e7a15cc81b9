"""Drift of a batch's prompts from a router's training prompts, and how many are unlike; sums over chunks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, insert, null, select, update

from router_core.monitoring.drift import Drift
from router_core.monitoring.familiarity import Familiarity
from tasks.store import batches
from tasks.store.routers.tables import router_drift
from tasks.store.tables import batch

if TYPE_CHECKING:
    from router_core.monitoring.drift_reference import DriftReference, DriftSums

#: the stored sums of a router without a drift reference
NO_REFERENCE = b""
_COUNTS = (router_drift.c.familiar, router_drift.c.unfamiliar)


@dataclass(frozen=True, slots=True)
class RouterDrift:
    """The drift of one batch for one router.

    Attributes:
        batch_id: The batch.
        version: The router's version.
        drift: The drift; None while too few prompts were seen, or without a reference.
        known: Whether the router has a drift reference; older routers have none.
        familiarity: The prompts like and unlike the labelled ones; None where the router does not tell.
    """

    batch_id: str
    version: str
    drift: Drift | None
    known: bool
    familiarity: Familiarity | None = None


def add(
    connection: Connection,
    batch_no: int,
    version: str,
    reference: DriftReference | None,
    sums: DriftSums | None,
    familiarity: Familiarity | None = None,
) -> None:
    """Add a router's sums over one chunk to those of its batch, which the caller has locked.

    Without a reference or sums, it records that the drift is unknown; without a familiarity, it counts none.
    """
    row = (router_drift.c.batch_no == batch_no) & (router_drift.c.version == version)
    before = connection.execute(select(router_drift.c.seen, *_COUNTS).where(row)).one_or_none()
    values: dict[str, Any] = {"seen": NO_REFERENCE, "figures": null()}
    if reference is not None and sums is not None:
        total = sums.add_bytes(before.seen) if before is not None and before.seen else sums
        drift = reference.drift(total)
        values = {"seen": total.to_bytes(), "figures": drift.to_dict() if drift else null()}
    if familiarity is not None:
        values |= asdict(familiarity if before is None else familiarity + _familiarity(before))
    if before is None:
        connection.execute(insert(router_drift).values(batch_no=batch_no, version=version, **values))
    elif familiarity is not None or before.seen != values["seen"]:
        connection.execute(update(router_drift).where(row).values(**values))


def of_batch(connection: Connection, batch_no: int) -> list[RouterDrift]:
    """Return the drift of a batch for each router that routed it, by version."""
    query = (
        select(batch.c.id, router_drift.c.version, router_drift.c.figures, router_drift.c.seen, *_COUNTS)
        .join(batch, batch.c.no == router_drift.c.batch_no)
        .where(router_drift.c.batch_no == batch_no)
        .order_by(router_drift.c.version)
    )
    return [
        RouterDrift(
            row.id,
            row.version,
            Drift.from_dict(row.figures) if row.figures else None,
            bool(row.seen),
            found if (found := _familiarity(row)).prompts else None,
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


def familiarity_of_batch(connection: Connection, batch_no: int) -> Familiarity | None:
    """Return the prompts of a batch like and unlike the labels of all its routers; None where none tells.

    It reads the batch's rows of one small table, one for each router.
    """
    query = select(*(func.sum(column).label(column.name) for column in _COUNTS))
    row = connection.execute(query.where(router_drift.c.batch_no == batch_no)).one()
    return None if not (row.familiar or row.unfamiliar) else _familiarity(row)


def _familiarity(row: Any) -> Familiarity:
    return Familiarity(int(row.familiar), int(row.unfamiliar))
