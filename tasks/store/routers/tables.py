"""The tables of router versions and of the roles they have."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, LargeBinary, Table
from sqlmodel import Field, SQLModel

from tasks.store.tables import counter, number_column


class RouterVersion(SQLModel, table=True):
    """A trained router; its version is the short hash of its manifest."""

    __tablename__ = "router_version"

    version: str = Field(primary_key=True)
    #: where it came from, as people know it
    source: str
    #: what `waybill routers` shows: models, prompts, what training and comparisons measured
    figures: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    created_at: int = counter()


class RouterFile(SQLModel, table=True):
    """A file of a router's directory: route workers on any host fetch their router from here."""

    __tablename__ = "router_file"

    version: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class RouterRole(SQLModel, table=True):
    """Which version is `champion`, and which is `canary` for a share of the requests."""

    __tablename__ = "router_role"

    role: str = Field(primary_key=True)
    version: str
    share: float = 1.0
    since: int = counter()
    #: the champion before, for a roll-back
    previous: str | None = None


class RouterEvent(SQLModel, table=True):
    """What happened to the roles, and why: promotions and roll-backs stay on record."""

    __tablename__ = "router_event"

    id: int | None = Field(default=None, sa_column=number_column())
    #: promoted, canary, rolled_back
    action: str
    version: str
    reason: str
    at: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))


class RouterDrift(SQLModel, table=True):
    """What a router has seen of a batch's prompts, and how unlike its training prompts they are."""

    __tablename__ = "router_drift"

    batch_no: int = Field(primary_key=True)
    version: str = Field(primary_key=True)
    #: sums over chunks, as `router_core.monitoring.drift_reference.Seen` writes them
    seen: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    #: `router_core.monitoring.drift.Drift`; null while too few prompts were seen, or where it is unknown
    figures: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON, nullable=True))


def _table(name: str) -> Table:
    return SQLModel.metadata.tables[name]


router_version, router_file = _table("router_version"), _table("router_file")
router_role, router_event = _table("router_role"), _table("router_event")
router_drift = _table("router_drift")
