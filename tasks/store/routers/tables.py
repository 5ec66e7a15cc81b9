"""The tables of router versions, of their roles and of drift."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, LargeBinary
from sqlmodel import Field, SQLModel

from tasks.store.columns import autoincrement_key, counter_column, json_column, table_of


class RouterVersion(SQLModel, table=True):
    """A trained router; its version is a short hash of its manifest."""

    __tablename__ = "router_version"

    version: str = Field(primary_key=True)
    #: where it came from, for people
    source: str
    #: what `waybill routers` shows: models, prompts, the results of training and of comparisons
    figures: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    created_at: int = counter_column()


class RouterFile(SQLModel, table=True):
    """A file of a router's directory; route workers on any host fetch their router from this table."""

    __tablename__ = "router_file"

    version: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class RouterRole(SQLModel, table=True):
    """The version in the role `champion`, or in the role `canary` for a share of the requests."""

    __tablename__ = "router_role"

    role: str = Field(primary_key=True)
    version: str
    share: float = 1.0
    since: int = counter_column()
    #: the previous champion, for a roll-back
    previous: str | None = None
    #: of a canary: the statistics of judged scores by arm, as upkeep measured them last, and when
    judged: dict[str, Any] | None = json_column()
    judged_at: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))


class RouterEvent(SQLModel, table=True):
    """A change of the roles, and its reason: promotions, canaries and roll-backs."""

    __tablename__ = "router_event"

    id: int | None = Field(default=None, sa_column=autoincrement_key())
    #: promoted, canary, rolled_back
    action: str
    version: str
    reason: str
    at: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))


class RouterDriftRow(SQLModel, table=True):
    """The drift of a batch's prompts from a router's training prompts."""

    __tablename__ = "router_drift"

    batch_no: int = Field(primary_key=True)
    version: str = Field(primary_key=True)
    #: `router_core.monitoring.drift_reference.DriftSums` over the chunks so far; empty without reference
    seen: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    #: `router_core.monitoring.drift.Drift`; null while too few prompts were seen, or without reference
    figures: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON, nullable=True))
    #: the prompts whose novelty the router measured, by whether it took them for like its labels
    familiar: int = counter_column()
    unfamiliar: int = counter_column()


router_version, router_file = table_of("router_version"), table_of("router_file")
router_role, router_event = table_of("router_role"), table_of("router_event")
router_drift = table_of("router_drift")
